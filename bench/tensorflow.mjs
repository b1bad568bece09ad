// The first batch of a layer at a sixteenth of GPT2-XL's widths. TensorFlow.js has no factorisation that solves, so its
// inverse is written with its tensor operations, as Gauss-Jordan elimination; plain TensorFlow.js computes in float32.

import * as tf from "@tensorflow/tfjs";
import { LayerEditor } from "../dist/engine.js";
import { compare, comparison } from "./compare.mjs";
import { covarianceWeightOf, createLayer, dispose, shapeName, shapesAt, toNative } from "./layer.mjs";

export const question =
  "What does the first batch of a small layer cost, beside the published algebra in TensorFlow.js?";

export const columns = [["layer", (row) => row.layer], ["facts", (row) => row.facts], ...comparison];

export const notes = `
TensorFlow.js runs in JavaScript, on one thread, in float32; ours is float64 on all cores. It has no operation that
solves a system, so *published algebra* is Gauss-Jordan elimination in its tensor operations and the products around
it, without a loss, and *products only* is what would be left if the inverse were free. Ours is the whole update, loss
and check of the solve included. Bound by JavaScript's arithmetic and, in the elimination, by memory: every step makes
a new d × d matrix.
`;

const [scale, facts] = [16, 100];

export async function run() {
  tf.env().set("IS_TEST", true); // its advice to take another package is no result
  await tf.setBackend("cpu");
  const [shape] = shapesAt(scale);
  const weight = covarianceWeightOf(shape);
  const { d, m } = shape;
  const layer = await createLayer(shape);
  const input = { keys: layer.keys(facts), residuals: layer.residuals(facts) };
  const native = await toNative(input, shape);
  const keys = tf.tensor2d(Float32Array.from(input.keys), [facts, d]);
  const residuals = tf.tensor2d(Float32Array.from(input.residuals), [facts, m]);
  const covariance = tf
    .tensor2d(await layer.covariance.toFloat32Array(), [d, d])
    .add(tf.eye(d).mul(layer.keySpace.ridge));

  const ours = async () => {
    const editor = await LayerEditor.create(layer.keySpace, { valueWidth: m });
    await editor.update({ ...native, weight });
    const drift = await editor.drift();
    editor.dispose();
    return drift;
  };
  const theirs = (inverse) =>
    tf.tidy(() => {
      const system = keys.matMul(keys, true, false).add(covariance.mul(weight));
      return residuals.matMul(keys, true, false).matMul(inverse(system));
    });

  await verify(await ours(), theirs(inverseOf));
  const rows = await compare({
    lyaplock: async () => (await ours()).dispose(),
    "TensorFlow.js, published algebra": async () => void theirs(inverseOf).dispose(),
    "TensorFlow.js, products only": async () => void theirs((system) => system.clone()).dispose(),
  });
  dispose(native);
  tf.dispose([keys, residuals, covariance]);
  const baseline = `TensorFlow.js ${tf.version.tfjs}`;
  return rows.map((row) => ({ layer: shapeName(shape), facts, baseline, ...row }));
}

/**
 * A⁻¹ for a positive definite A [d, d], so without pivoting: for every k, A − (column k − e)(row k + e) / pivot, e being the
 * kth unit vector, replaces A. That cancels where pivots are large, so A is scaled first.
 */
function inverseOf(system) {
  const [d] = system.shape;
  const scaling = tf.max(system);
  let swept = system.div(scaling);
  for (let k = 0; k < d; k++) {
    const next = tf.tidy(() => {
      const unit = tf.oneHot(tf.tensor1d([k], "int32"), d);
      const column = swept.slice([0, k], [d, 1]).sub(unit.transpose());
      const row = swept
        .slice([k, 0], [1, d])
        .add(unit)
        .div(swept.slice([k, k], [1, 1]));
      return swept.sub(column.matMul(row));
    });
    swept.dispose();
    swept = next;
  }
  return swept.div(scaling);
}

/** A wrong answer is not timed; float32 and this condition leave three digits. */
async function verify(drift, change) {
  const ours = await drift.toFloat64Array();
  const theirs = await change.data();
  let [error, norm] = [0, 0];
  for (let i = 0; i < ours.length; i++) {
    error += (theirs[i] - ours[i]) ** 2;
    norm += ours[i] ** 2;
  }
  drift.dispose();
  change.dispose();
  if (!(Math.sqrt(error / norm) < 1e-3)) throw new Error(`TensorFlow.js differs by ${Math.sqrt(error / norm)}`);
}
