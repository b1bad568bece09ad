// Singular values by turning pairs of rows until all are orthogonal: slow, plain, and nothing like what LAPACK does.

import { entry, type Plain, plain } from "./plain.js";

/** A = leftᵀ diag(values) right: left [m, m] and right [m, d] with orthonormal rows, values from the largest down. */
export interface SingularValues {
  left: Plain;
  values: number[];
  right: Plain;
}

/** Of A [m, d], m ≤ d: one-sided Jacobi (Hestenes 1958). A row of `right` whose singular value is 0 is 0. */
export function singularValues(a: Plain): SingularValues {
  const rows = Array.from({ length: a.rows }, (_, i) => a.values.slice(i * a.cols, (i + 1) * a.cols));
  const turns = rows.map((_, i) => Float64Array.from(rows, (_, j) => (i === j ? 1 : 0)));
  for (let turned = true; turned; ) {
    turned = false;
    for (let p = 0; p < a.rows; p++)
      for (let q = p + 1; q < a.rows; q++) {
        const [x, y] = [rows[p]!, rows[q]!];
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
        if (Math.abs(xy) <= 1e-15 * Math.sqrt(xx * yy) * Math.sqrt(a.cols)) continue;
        turned = true;
        const zeta = (yy - xx) / (2 * xy);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, tangent);
        turn(x, y, cosine, cosine * tangent);
        turn(turns[p]!, turns[q]!, cosine, cosine * tangent);
      }
  }
  const norms = rows.map((row) => Math.sqrt(dot(row, row)));
  const order = norms.map((_, i) => i).sort((i, j) => norms[j]! - norms[i]!);
  return {
    left: plain(a.rows, a.rows, (i, j) => turns[order[i]!]![j]!),
    values: order.map((i) => norms[i]!),
    right: plain(a.rows, a.cols, (i, j) => rows[order[i]!]![j]! / (norms[order[i]!]! || 1)),
  };
}

/** The drift [m, d] with its singular values over the largest of the original compressed, as PRUNE's paper writes it. */
export function plainCompression(
  drift: Plain,
  original: Plain,
): { compressed: Plain; limit: number; values: number[] } {
  const limit = singularValues(original).values[0]!;
  const { left, values, right } = singularValues(drift);
  const smaller = values.map((s) => (s > limit ? Math.log(s) - Math.log(limit) + limit : s));
  const compressed = plain(drift.rows, drift.cols, (i, j) =>
    smaller.reduce((total, s, k) => total + entry(left, k, i) * s * entry(right, k, j), 0),
  );
  return { compressed, limit, values: smaller };
}

function dot(x: Float64Array, y: Float64Array): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i]! * y[i]!;
  return total;
}

function turn(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < x.length; i++) {
    const [before, other] = [x[i]!, y[i]!];
    x[i] = cosine * before - sine * other;
    y[i] = sine * before + cosine * other;
  }
}
