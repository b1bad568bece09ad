import type { NativeMatrix } from "../native/addon.js";
import { addon, call } from "../native/index.js";

/** Row-major values with their shape, or a matrix that is native already. */
export type MatrixLike = Matrix | { values: Float32Array | Float64Array; rows: number; cols: number };

/** A matrix [rows, cols] in native memory, row-major. Freed by `dispose`, or by the collector when forgotten. */
export class Matrix {
  /** @internal */
  constructor(readonly native: NativeMatrix) {}

  /**
   * Copies values, row-major, [rows * cols]; they stay the caller's.
   *
   * @throws ERR_SHAPE when there are not rows * cols of them.
   */
  static async from({ values, rows, cols }: Exclude<MatrixLike, Matrix>): Promise<Matrix> {
    return new Matrix(await call(() => addon().createMatrix(values, rows, cols)));
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

  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
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
