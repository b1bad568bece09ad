import type { NativeSecondMoment } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { Matrix, type MatrixLike, withNative } from "./matrix.js";

/**
 * Second moment of keys: Σ k kᵀ [d, d] in float64 and how many keys there were (reference, section 5).
 *
 * @example
 * const moment = await MomentAccumulator.create(4096);
 * await moment.add({ values: activations, rows: 128, cols: 4096 });
 * const covariance = await moment.mean();
 */
export class MomentAccumulator {
  private constructor(private readonly native: NativeSecondMoment) {}

  /** @param width d */
  static async create(width: number): Promise<MomentAccumulator> {
    return new MomentAccumulator(await call(() => addon().createSecondMoment(width)));
  }

  get width(): number {
    return this.native.width;
  }

  /** Keys so far. */
  get count(): number {
    return this.native.count;
  }

  /** Adds every row of keys [n, d]. @throws ERR_SHAPE, ERR_NOT_FINITE; the sum is then as it was. */
  add(keys: MatrixLike): Promise<void> {
    return withNative([keys], (matrix) => call(() => this.native.add(matrix!)));
  }

  /** Adds what another one gathered. @throws ERR_SHAPE */
  merge(other: MomentAccumulator): Promise<void> {
    return call(() => this.native.merge(other.native));
  }

  /** C = Σ k kᵀ / count, [d, d] float64. @throws ERR_INVALID_ARGUMENT before the first key. */
  async mean(): Promise<Matrix> {
    return new Matrix(await call(() => this.native.mean()));
  }

  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
