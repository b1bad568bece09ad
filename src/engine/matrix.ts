import { setImmediate } from "node:timers/promises";
import { types } from "node:util";
import { LyaplockError } from "../errors.js";
import type { NativeMatrix } from "../native/addon.js";
import { fromNative } from "../native/errors.js";
import { addon, call } from "../native/index.js";

/**
 * Row-major values with their shape, or a matrix that is native already. With a `stride`, rows begin so many values apart,
 * at least `cols`: a part of a wider array, or of one that has room for more rows.
 */
export type MatrixLike = Matrix | { values: Float32Array | Float64Array; rows: number; cols: number; stride?: number };

/** More elements than this are copied in pieces, a millisecond or two each, and the event loop runs in between. */
const PIECE = 1 << 19;

/** A matrix [rows, cols] in native memory, row-major. Freed by `dispose`, or by the collector when forgotten. */
export class Matrix {
  /** Of a handle, as editing methods are given them: the same memory, and `dispose` is that of the handle. */
  constructor(readonly native: NativeMatrix) {}

  /**
   * Copies values, row-major, [rows, cols]. They stay the caller's, and must stay as they are until the promise is
   * settled. Shared memory is copied like any other.
   *
   * @throws ERR_SHAPE when there are not rows * cols of them, or with a stride fewer than that takes; ERR_INVALID_ARGUMENT when they are detached meanwhile.
   */
  static async from({ values, rows, cols, stride }: Exclude<MatrixLike, Matrix>): Promise<Matrix> {
    const single = types.isFloat32Array(values);
    const isLarge = (single || types.isFloat64Array(values)) && values.length > PIECE;
    if (isLarge && (stride ?? cols) === cols && values.length === rows * cols) {
      const matrix = await Matrix.allocate(rows, cols, single ? "float32" : "float64");
      const view = matrix.native.view();
      if (view !== undefined) {
        await copyInPieces(values, view);
        return matrix;
      }
      matrix.dispose();
    }
    return new Matrix(await call(() => addon().createMatrix(values, rows, cols, stride)));
  }

  /**
   * Zeros, to be filled through `view`: the way into native memory without a copy.
   *
   * @example
   * const keys = await Matrix.allocate(128, 4096, "float32");
   * activations.forEach((row, i) => keys.view().set(row, i * 4096));
   * await moment.add(keys);
   * @throws ERR_OUT_OF_MEMORY
   */
  static async allocate(rows: number, cols: number, type: "float32" | "float64"): Promise<Matrix> {
    return new Matrix(await call(() => addon().allocateMatrix(rows, cols, type)));
  }

  get rows(): number {
    return this.native.rows;
  }

  get cols(): number {
    return this.native.cols;
  }

  /** Precision of the stored values. */
  get type(): "float32" | "float64" {
    return this.native.type;
  }

  /** The values, row-major, rounded to float32 where they are wider. */
  toFloat32Array(): Promise<Float32Array> {
    return call(() => this.native.toFloat32Array());
  }

  /** The values, row-major. */
  toFloat64Array(): Promise<Float64Array> {
    return call(() => this.native.toFloat64Array());
  }

  /**
   * The matrix's own memory, row-major, [rows * cols], in its own precision: what is written here is in the matrix. It
   * outlives `dispose`, and is freed once every view is forgotten, too; to detach one takes away that view alone.
   *
   * Write only while no call that was given the matrix is pending: it reads on another thread, and would take some
   * elements from before and some from after.
   *
   * @throws ERR_UNSUPPORTED where JavaScript may not have native memory (Electron), or not so much (Node 20: 4 GiB).
   */
  view(): Float32Array | Float64Array {
    let view: Float32Array | Float64Array | undefined;
    try {
      view = this.native.view();
    } catch (error) {
      throw fromNative(error);
    }
    if (view !== undefined) return view;
    throw new LyaplockError(
      "ERR_UNSUPPORTED",
      `this runtime does not lend the ${this.rows} x ${this.cols} ${this.type} values of a native matrix to JavaScript; ` +
        "copy them: Matrix.from to write, toFloat32Array or toFloat64Array to read",
    );
  }

  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

async function copyInPieces(values: Float32Array | Float64Array, destination: Float32Array | Float64Array) {
  for (let begin = 0; begin < destination.length; begin += PIECE) {
    if (values.length !== destination.length)
      throw new LyaplockError("ERR_INVALID_ARGUMENT", "the values were detached while they were being copied");
    destination.set(values.subarray(begin, begin + PIECE), begin);
    await setImmediate();
  }
}

/** Calls `use` with native matrices, and disposes of those it had to make. */
export async function withNative<T>(
  inputs: readonly MatrixLike[],
  use: (...matrices: NativeMatrix[]) => Promise<T>,
): Promise<T> {
  const made: Matrix[] = [];
  try {
    const natives: NativeMatrix[] = [];
    for (const input of inputs) {
      if (input instanceof Matrix) {
        natives.push(input.native);
        continue;
      }
      const matrix = await Matrix.from(input);
      made.push(matrix);
      natives.push(matrix.native);
    }
    return await use(...natives);
  } finally {
    for (const matrix of made) matrix.dispose();
  }
}
