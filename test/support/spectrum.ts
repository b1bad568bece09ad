// Eigenvalues the slow way: what limits on the loss are compared with.

import { entry, type Plain, plain, product, transposed } from "./plain.js";

/** A = U diag(g) Uᵀ of a symmetric matrix [n, n], by Jacobi's rotations: eigenvectors are the columns of U. */
export function eigen(a: Plain): { values: number[]; vectors: Plain } {
  const n = a.rows;
  const left = plain(n, n, (i, j) => entry(a, i, j));
  const vectors = plain(n, n, (i, j) => (i === j ? 1 : 0));
  /** Turns columns p and q into one another, or with a stride of 1 rows. */
  const turn = ({ values }: Plain, [p, q]: [number, number], angle: number, stride: number) => {
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const across = stride === 1 ? n : 1;
    for (let i = 0; i < n; i++) {
      const [at, other] = [i * stride + p * across, i * stride + q * across];
      const [x, y] = [values[at]!, values[other]!];
      values[at] = cos * x - sin * y;
      values[other] = sin * x + cos * y;
    }
  };
  for (let sweep = 0; sweep < 12; sweep++)
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (entry(left, p, q) === 0) continue;
        const angle = 0.5 * Math.atan2(2 * entry(left, p, q), entry(left, q, q) - entry(left, p, p));
        turn(left, [p, q], angle, n);
        turn(left, [p, q], angle, 1);
        turn(vectors, [p, q], angle, n);
      }
  return { values: plain(n, 1, (i) => entry(left, i, i)).values as unknown as number[], vectors };
}

/** loss(μ) = Σ p g / (g + μ)² of values Y [n, m] at keys whose whitened inner products are G [n, n]. */
export function lossOfWeight(gram: Plain, values: Plain): (weight: number) => number {
  const { values: g, vectors } = eigen(gram);
  const along = product(transposed(vectors), values);
  const p = Array.from(g, (_, j) => {
    let squared = 0;
    for (let i = 0; i < values.cols; i++) squared += entry(along, j, i) ** 2;
    return squared;
  });
  return (weight) => p.reduce((loss, squared, j) => loss + (squared * Math.max(g[j]!, 0)) / (g[j]! + weight) ** 2, 0);
}
