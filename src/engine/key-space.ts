import type { NativeKeySpace } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { Matrix, type MatrixLike, withNative } from "./matrix.js";

/** The space in which the preserved keys are white: C = L Lᵀ, float64. */
export class KeySpace {
  /** @internal */
  private constructor(readonly native: NativeKeySpace) {}

  /**
   * @param covariance C [d, d], symmetric; its lower triangle is read.
   * @param ridge ε: adds ε·tr(C)/d to the diagonal. Nothing is added unasked.
   * @throws ERR_NOT_POSITIVE_DEFINITE with the pivot, ERR_NOT_FINITE, ERR_SHAPE
   */
  static fromCovariance(covariance: MatrixLike, { ridge = 0 }: { ridge?: number } = {}): Promise<KeySpace> {
    return withNative([covariance], async (matrix) => {
      return new KeySpace(await call(() => addon().createKeySpace(matrix!, ridge)));
    });
  }

  get width(): number {
    return this.native.width;
  }

  /** Smallest and largest squared diagonal element of L; their ratio bounds the condition of C from below. */
  get pivots(): { smallest: number; largest: number } {
    return { smallest: this.native.smallestPivot, largest: this.native.largestPivot };
  }

  /** What was added to every diagonal element. */
  get ridge(): number {
    return this.native.ridge;
  }

  /** L⁻¹ k for every row k of keys [n, d]; [n, d] float64. @throws ERR_SHAPE */
  whiten(keys: MatrixLike): Promise<Matrix> {
    return withNative([keys], async (matrix) => new Matrix(await call(() => this.native.whiten(matrix!))));
  }

  /** L⁻ᵀ k̃ for every row k̃ of whitened keys [n, d], which is C⁻¹ k; [n, d] float64. @throws ERR_SHAPE */
  lift(whitened: MatrixLike): Promise<Matrix> {
    return withNative([whitened], async (matrix) => new Matrix(await call(() => this.native.lift(matrix!))));
  }

  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
