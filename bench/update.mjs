// One layer at a quarter of GPT2-XL's widths. The primal form is the published algebra with its LU inverse (8/3 d³) replaced by a
// Cholesky factor (1/3 d³), so the ratio is a lower bound of the one to the published code.

import { KeySpace, LayerEditor, Matrix } from "../dist/engine.js";
import { compare } from "./compare.mjs";

export const question =
  "What do facts in batches of 100 cost one layer, in whitened key space and in the space of the keys?";

const [d, m, u] = [1600, 400, 100];

export async function run() {
  const random = generator(7);
  const keySpace = await KeySpace.fromCovariance(await wellPosed(random));
  for (const count of [100, 500, 1500]) {
    const batches = Array.from({ length: count / u }, () => ({
      keys: rows(random, u, d),
      residuals: rows(random, u, m),
    }));
    const edit = async (form) => {
      const editor = await LayerEditor.create(keySpace, { valueWidth: m });
      for (const batch of batches) await editor.update({ ...batch, weight: 15, form });
      return editor;
    };
    verify(await driftOf(await edit(undefined)), await driftOf(await edit("primal")));
    console.log(`d = ${d}, m = ${m}, ${count} facts:`);
    await compare({
      "the cheaper form": async () => (await edit(undefined)).dispose(),
      "the space of the keys": async () => (await edit("primal")).dispose(),
    });
  }
}

async function driftOf(editor) {
  const drift = await (await editor.drift()).toFloat64Array();
  editor.dispose();
  return drift;
}

/** A wrong answer is not timed. */
function verify(drift, other) {
  let [error, norm] = [0, 0];
  for (let i = 0; i < drift.length; i++) {
    error += (drift[i] - other[i]) ** 2;
    norm += other[i] ** 2;
  }
  if (!(Math.sqrt(error / norm) < 1e-9)) throw new Error(`the two forms differ by ${Math.sqrt(error / norm)}`);
}

async function wellPosed(random) {
  const values = Float64Array.from({ length: d * d });
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < i; j++) values[i * d + j] = values[j * d + i] = (0.3 * random()) / d;
    values[i * d + i] = 0.5 + Math.abs(random());
  }
  return Matrix.from({ values, rows: d, cols: d });
}

const rows = (random, count, cols) => ({
  rows: count,
  cols,
  values: Float64Array.from({ length: count * cols }, random),
});

function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
