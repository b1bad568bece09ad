import type { MomentPrecision, NativeSecondMoment } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { Matrix, type MatrixLike, withNative } from "./matrix.js";

/** What an accumulator has gathered: Σ k kᵀ [d, d] float64, both triangles, over `count` keys. */
export interface MomentState {
  sum: MatrixLike;
  count: number;
  precision: MomentPrecision;
}

/**
 * Second moment of keys: Σ k kᵀ [d, d] in float64 and how many keys there were (reference, section 5).
 *
 * `add` may be called by many producers without waiting; a producer leaves its keys as they are until its promise is
 * settled. Where keys are cut into calls that follow one another does not change a bit of the sum, which is kept in blocks of
 * 1024 keys (float64) or 4096 (float32); reading the sum ends a block. The order of calls that overlap may, in its rounding. Shards gathered elsewhere, in worker threads or processes, come
 * together with `export`, `import` and `merge`.
 *
 * Memory: the sum, a block of keys, and with float32 a block's sum, [d, d] float32.
 *
 * @example
 * const moment = await MomentAccumulator.create(4096);
 * await moment.add({ values: activations, rows: 128, cols: 4096 });
 * const covariance = await moment.mean();
 */
export class MomentAccumulator {
  private constructor(private readonly native: NativeSecondMoment) {}

  /**
   * @param width d
   * @param options precision: "float32" forms products in float32, twice as fast, with a relative error of about 1e-6;
   *   float64 keys are rounded then. Sums over blocks of keys are float64 always.
   */
  static async create(
    width: number,
    { precision = "float64" }: { precision?: MomentPrecision } = {},
  ): Promise<MomentAccumulator> {
    return new MomentAccumulator(await call(() => addon().createSecondMoment(width, precision)));
  }

  /**
   * Goes on from what `export` gave, as if all its keys had been added here.
   *
   * @throws ERR_SHAPE, ERR_NOT_FINITE, ERR_NOT_SYMMETRIC, ERR_INVALID_ARGUMENT when the count is not a whole number
   */
  static import({ sum, count, precision }: MomentState): Promise<MomentAccumulator> {
    return withNative([sum], async (matrix) => {
      return new MomentAccumulator(await call(() => addon().createSecondMomentFromSum(matrix!, count, precision)));
    });
  }

  get width(): number {
    return this.native.width;
  }

  /** Keys so far. */
  get count(): number {
    return this.native.count;
  }

  get precision(): MomentPrecision {
    return this.native.precision;
  }

  /** Adds every row of keys [n, d], n from 0. @throws ERR_SHAPE, ERR_NOT_FINITE; the sum is then as it was. */
  add(keys: MatrixLike): Promise<void> {
    return withNative([keys], (matrix) => call(() => this.native.add(matrix!)));
  }

  /** Adds what another one gathered. @throws ERR_SHAPE, ERR_INVALID_ARGUMENT when the precisions differ */
  merge(other: MomentAccumulator): Promise<void> {
    return call(() => this.native.merge(other.native));
  }

  /** All there is to an accumulator; the caller disposes of the sum. @throws ERR_NOT_FINITE as `mean` */
  async export(): Promise<MomentState & { sum: Matrix }> {
    const { sum, count } = await call(() => this.native.sum());
    return { sum: new Matrix(sum), count, precision: this.precision };
  }

  /**
   * C = Σ k kᵀ / count, [d, d] float64.
   *
   * @throws ERR_INVALID_ARGUMENT before the first key, ERR_NOT_FINITE when products of keys were beyond their precision
   */
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
