/**
 * Tensors of TensorFlow.js as matrices, and back. Nothing of it is imported here: two copies of @tensorflow/tfjs-core in
 * one process do not know each other's tensors, so both the tensor and what makes one are the caller's, on whatever
 * backend runs there (@tensorflow/tfjs-node-gpu, webgpu, plain JavaScript).
 *
 * @example
 * import * as tf from "@tensorflow/tfjs-node-gpu";
 * import { fromTensor, toTensor } from "lyaplock/tfjs";
 *
 * const report = await editor.update({ keys: await fromTensor(keys), residuals: await fromTensor(residuals), weight });
 * using drift = await editor.drift();
 * const edited = tf.add(weight, await toTensor(tf, drift));
 *
 * @module
 */

import { Matrix } from "./engine/matrix.js";
import { LyaplockError } from "./errors.js";

/** What is asked of a tf.Tensor. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly dtype: string;
  data(): Promise<unknown>;
}

/** What is asked of TensorFlow.js, the module itself; T is its Tensor2D. */
export interface TensorMaker<T> {
  tensor2d(values: Float32Array, shape: [number, number], dtype: "float32"): T;
}

/**
 * Copies a tensor to a matrix: [rows, cols] as it is, [cols] as one row. float32 stays float32, int32 becomes float64,
 * which holds every one of its values. The tensor stays the caller's, to dispose of.
 *
 * @throws ERR_SHAPE for another rank; ERR_INVALID_ARGUMENT for another type, or a tensor that was disposed of.
 */
export async function fromTensor(tensor: TensorLike): Promise<Matrix> {
  const { shape, dtype } = tensor;
  if (shape.length !== 1 && shape.length !== 2)
    throw new LyaplockError("ERR_SHAPE", `a matrix needs a tensor of rank 1 or 2; received [${shape.join(", ")}]`);
  if (dtype !== "float32" && dtype !== "int32")
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `a matrix needs a tensor of float32 or int32; received ${dtype}`);
  const [rows, cols] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!];
  const values = await read(tensor);
  return Matrix.from({
    values: dtype === "float32" ? (values as Float32Array) : Float64Array.from(values),
    rows,
    cols,
  });
}

async function read(tensor: TensorLike): Promise<Float32Array | Int32Array> {
  try {
    return (await tensor.data()) as Float32Array | Int32Array;
  } catch (error) {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `the tensor cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Copies a matrix to a tensor [rows, cols] of float32, the widest that TensorFlow.js has: a float64 matrix is rounded. The
 * matrix stays as it is, and both are the caller's to dispose of.
 *
 * @param tf the caller's TensorFlow.js, whose current backend the tensor is put on.
 */
export async function toTensor<T>(tf: TensorMaker<T>, matrix: Matrix): Promise<T> {
  return tf.tensor2d(await matrix.toFloat32Array(), [matrix.rows, matrix.cols], "float32");
}
