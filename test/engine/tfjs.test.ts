import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { KeySpace, LayerEditor, Matrix } from "../../src/engine.js";
import { fromTensor, toTensor } from "../../src/tfjs.js";
import { expectRejection } from "../support/errors.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const single = (count: number, seed: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i));
const COVARIANCE = { rows: 3, cols: 3, values: Float64Array.of(2, 1, 0, 1, 2, 0, 0, 0, 3) };

/** The drift after one batch, float64. */
async function driftAfter(keys: Matrix, residuals: Matrix): Promise<Matrix> {
  const editor = await LayerEditor.create(await KeySpace.fromCovariance(COVARIANCE), { valueWidth: 2 });
  await editor.update({ keys, residuals, weight: 1.5 });
  return editor.drift();
}

describe("a tensor", () => {
  it("goes through an editor as a typed array does", async () => {
    const before = tf.memory().numTensors;
    const [k, r] = [single(12, 1), single(8, 2)];
    const tensors = { keys: tf.tensor2d(k, [4, 3]), residuals: tf.tensor2d(r, [4, 2]) };
    const drift = await driftAfter(await fromTensor(tensors.keys), await fromTensor(tensors.residuals));
    const expected = await driftAfter(
      await Matrix.from({ values: k, rows: 4, cols: 3 }),
      await Matrix.from({ values: r, rows: 4, cols: 2 }),
    );
    expect(drift.view()).toEqual(expected.view());

    const out: tf.Tensor2D = await toTensor(tf, drift);
    expect([out.shape, out.dtype]).toEqual([[2, 3], "float32"]);
    expect(await out.data()).toEqual(Float32Array.from(expected.view()));
    expect(tf.memory().numTensors, "the caller's two and the new one").toBe(before + 3);
    tf.dispose([out, tensors]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("that was computed, not written, is waited for", async () => {
    const product = tf.matMul(tf.tensor2d(single(6, 3), [2, 3]), tf.tensor2d(single(12, 4), [3, 4]));
    using matrix = await fromTensor(product);
    expect([matrix.rows, matrix.cols, matrix.type]).toEqual([2, 4, "float32"]);
    expect(await matrix.toFloat32Array()).toEqual(await product.data());
  });

  it("of rank 1 is one row, and of integers keeps each of them", async () => {
    using matrix = await fromTensor(tf.tensor1d([2 ** 24 + 1, -3, 7], "int32"));
    expect([matrix.rows, matrix.cols, matrix.type]).toEqual([1, 3, "float64"]);
    expect(await matrix.toFloat64Array()).toEqual(Float64Array.of(2 ** 24 + 1, -3, 7));
  });

  it("does not change with the matrix it came from or became", async () => {
    const tensor = tf.tensor2d([[1, 2]]);
    using matrix = await fromTensor(tensor);
    const back = await toTensor(tf, matrix);
    matrix.view().fill(9);
    expect([await tensor.data(), await back.data()]).toEqual([Float32Array.of(1, 2), Float32Array.of(1, 2)]);
  });

  it("is refused for its rank, its type, or when it is gone", async () => {
    await expectRejection(fromTensor(tf.scalar(1)), "ERR_SHAPE", "[]");
    await expectRejection(fromTensor(tf.zeros([2, 3, 4])), "ERR_SHAPE", "[2, 3, 4]");
    await expectRejection(fromTensor(tf.tensor2d([[true]], [1, 1], "bool")), "ERR_INVALID_ARGUMENT", "bool");
    await expectRejection(fromTensor(tf.complex([[1]], [[2]])), "ERR_INVALID_ARGUMENT", "complex64");
    const gone = tf.tensor2d([[1]]);
    gone.dispose();
    await expectRejection(fromTensor(gone), "ERR_INVALID_ARGUMENT", "disposed");
    const matrix = await Matrix.allocate(1, 1, "float32");
    matrix.dispose();
    await expectRejection(toTensor(tf, matrix), "ERR_INVALID_ARGUMENT", "disposed");
  });
});
