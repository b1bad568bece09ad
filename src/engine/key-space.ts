import type { NativeKeySpace } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { Matrix, type MatrixLike, withNative } from "./matrix.js";

/** The space in which the preserved keys are white, float64: from C = L Lᵀ, or the null space of C. Keys are rows. */
export class KeySpace {
  /** Of a handle, as editing methods are given it (`LayerContext.keySpace`); `dispose` is that of the handle. */
  constructor(readonly native: NativeKeySpace) {}

  /**
   * C = L Lᵀ: whitened keys are L⁻¹ k.
   *
   * @param covariance C [d, d], symmetric.
   * @param ridge ε: adds ε·tr(C)/d to the diagonal. Nothing is added unasked.
   * @throws ERR_NOT_FINITE, ERR_NOT_SYMMETRIC, ERR_NOT_POSITIVE_DEFINITE (indefinite, or singular to working precision; names the
   *   row), ERR_ILL_CONDITIONED, ERR_SHAPE
   */
  static fromCovariance(covariance: MatrixLike, { ridge = 0 }: { ridge?: number } = {}): Promise<KeySpace> {
    return withNative([covariance], async (matrix) => {
      return new KeySpace(await call(() => addon().createKeySpace(matrix!, ridge)));
    });
  }

  /**
   * The directions that ordinary text hardly uses: eigenvectors U [rank, d] of C whose eigenvalue is below a threshold.
   * Whitened keys are U k; a drift is confined to these directions (AlphaEdit; reference, section 10.5).
   *
   * @param covariance C [d, d], symmetric: the mean over tokens, not the sum.
   * @param threshold 0.02 for the models of the paper.
   * @throws ERR_NOT_FINITE, ERR_NOT_SYMMETRIC, ERR_SHAPE, ERR_INVALID_ARGUMENT when there is no such direction
   */
  static fromNullSpace(covariance: MatrixLike, { threshold }: { threshold: number }): Promise<KeySpace> {
    return withNative([covariance], async (matrix) => {
      return new KeySpace(await call(() => addon().createNullSpace(matrix!, threshold)));
    });
  }

  /** d, the width of keys. */
  get width(): number {
    return this.native.width;
  }

  /** The width of whitened keys: d, or how many directions the null space has. */
  get rank(): number {
    return this.native.rank;
  }

  /**
   * Largest over smallest eigenvalue of C, its ridge included: how many times a relative error may grow. Exact for a null
   * space; otherwise an estimate from below, usually within a factor of two.
   */
  get condition(): number {
    return this.native.condition;
  }

  /** Smallest and largest squared diagonal element of L, 0 for a null space. */
  get pivots(): { smallest: number; largest: number } {
    return { smallest: this.native.smallestPivot, largest: this.native.largestPivot };
  }

  /** What was added to every diagonal element. */
  get ridge(): number {
    return this.native.ridge;
  }

  /** Native memory held. */
  get bytes(): number {
    return this.native.bytes;
  }

  /** L⁻¹ k or U k for every row k of keys [n, d]; [n, rank] float64. @throws ERR_SHAPE */
  whiten(keys: MatrixLike): Promise<Matrix> {
    return withNative([keys], async (matrix) => new Matrix(await call(() => this.native.whiten(matrix!))));
  }

  /** L⁻ᵀ k̃, which is C⁻¹ k, or Uᵀ k̃ for every row k̃ of whitened keys [n, rank]; [n, d] float64. @throws ERR_SHAPE */
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
