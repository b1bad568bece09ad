import { addon, call } from "../native/index.js";
import type { KeySpace } from "./key-space.js";
import { Matrix, type MatrixLike, withNative } from "./matrix.js";

/**
 * The part of an update that changes the weight most for its size: elements by |Δ / (W + 1e-8)|, the others zero (RECT; reference,
 * section 10.3).
 *
 * @param delta Δ [m, d] @param weight W [m, d], as it is before the update.
 * @param share of the elements to keep, over 0 and at most 1; published with 0.4.
 * @returns [m, d] float64
 * @throws ERR_SHAPE, ERR_INVALID_ARGUMENT
 */
export function keepTopShare(
  delta: MatrixLike,
  weight: MatrixLike,
  { share = 0.4 }: { share?: number } = {},
): Promise<Matrix> {
  return withNative([delta, weight], async (d, w) => new Matrix(await call(() => addon().keepTopShare(d!, w!, share))));
}

/**
 * A drift with its singular values s above s₀, the largest of the original weight, replaced by ln s − ln s₀ + s₀ (PRUNE;
 * reference, section 10.4).
 *
 * @param drift D [m, d] @param original W0 [m, d]
 * @returns [m, d] float64: add it to W0.
 * @throws ERR_SHAPE, ERR_NOT_FINITE, ERR_INVALID_ARGUMENT
 */
export function compressSingularValues(drift: MatrixLike, original: MatrixLike): Promise<Matrix> {
  return withNative(
    [drift, original],
    async (d, w) => new Matrix(await call(() => addon().compressSingularValues(d!, w!))),
  );
}

/** Keys and residual of one fact. */
export interface RankOneFact {
  /** The key averaged over contexts, [1, d]: the update goes along C⁻¹ of it. */
  meanKey: MatrixLike;
  /** The key at which the residual is to be met, [1, d]. */
  key: MatrixLike;
  /** Wanted minus present output of the layer there, [1, m]. */
  residual: MatrixLike;
}

/**
 * Δ = r (C⁻¹ k̄)ᵀ / (kᵀ C⁻¹ k̄): the update of one fact along one direction (ROME, equation 2; reference, section 10.7).
 *
 * @returns [m, d] float64
 * @throws ERR_SHAPE, ERR_NOT_FINITE, ERR_INVALID_ARGUMENT when the key has no part along the direction
 */
export function rankOneUpdate(keySpace: KeySpace, { meanKey, key, residual }: RankOneFact): Promise<Matrix> {
  return withNative(
    [meanKey, key, residual],
    async (mean, k, r) => new Matrix(await call(() => addon().rankOneUpdate(keySpace.native, mean!, k!, r!))),
  );
}

/**
 * tr(D C Dᵀ), the mean squared change of a layer's output per corpus token, of any drift D [m, d]; C [d, d] symmetric
 * (reference, section 9).
 *
 * @throws ERR_SHAPE
 */
export function preservationLoss(drift: MatrixLike, covariance: MatrixLike): Promise<number> {
  return withNative([drift, covariance], (d, c) => call(() => addon().preservationLoss(d!, c!)));
}
