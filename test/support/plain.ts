// The algebra of the papers written out in float64, slowly and without cleverness: what the engine is compared with. It
// shares no code with it.

/** Row-major. */
export interface Plain {
  rows: number;
  cols: number;
  values: Float64Array;
}

export function plain(rows: number, cols: number, at: (i: number, j: number) => number): Plain {
  const values = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) values[i * cols + j] = at(i, j);
  return { rows, cols, values };
}

export const zeros = (rows: number, cols: number): Plain => plain(rows, cols, () => 0);
export const entry = (a: Plain, i: number, j: number): number => a.values[i * a.cols + j]!;
export const transposed = (a: Plain): Plain => plain(a.cols, a.rows, (i, j) => entry(a, j, i));
export const sum = (a: Plain, b: Plain): Plain => plain(a.rows, a.cols, (i, j) => entry(a, i, j) + entry(b, i, j));
export const scaled = (s: number, a: Plain): Plain => plain(a.rows, a.cols, (i, j) => s * entry(a, i, j));
export const difference = (a: Plain, b: Plain): Plain => sum(a, scaled(-1, b));

export function product(a: Plain, b: Plain): Plain {
  const out = zeros(a.rows, b.cols);
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < a.cols; k++) {
      const factor = entry(a, i, k);
      for (let j = 0; j < b.cols; j++) out.values[i * b.cols + j]! += factor * entry(b, k, j);
    }
  return out;
}

export function trace(a: Plain): number {
  let total = 0;
  for (let i = 0; i < a.rows; i++) total += entry(a, i, i);
  return total;
}

export const norm = (a: Plain): number => Math.sqrt(a.values.reduce((total, x) => total + x * x, 0));

/** X with X A = B, by Gauss elimination with row pivoting on Aᵀ Xᵀ = Bᵀ. */
export function dividedBy(b: Plain, a: Plain): Plain {
  const n = a.rows;
  const left = transposed(a);
  const right = transposed(b);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column + 1; i < n; i++)
      if (Math.abs(entry(left, i, column)) > Math.abs(entry(left, pivot, column))) pivot = i;
    for (const matrix of [left, right]) {
      const { cols, values } = matrix;
      for (let j = 0; j < cols; j++) {
        const swap = values[column * cols + j]!;
        values[column * cols + j] = values[pivot * cols + j]!;
        values[pivot * cols + j] = swap;
      }
    }
    for (let i = 0; i < n; i++) {
      if (i === column) continue;
      const factor = entry(left, i, column) / entry(left, column, column);
      if (factor === 0) continue;
      for (const { cols, values } of [left, right])
        for (let j = 0; j < cols; j++) values[i * cols + j]! -= factor * values[column * cols + j]!;
    }
  }
  return transposed(plain(n, b.rows, (i, j) => entry(right, i, j) / entry(left, i, i)));
}

/** LyapLock of one layer as section 9 of the reference writes it, in columns: keys [d, u], residuals [m, u]. */
export class PlainLyapLock {
  weight: Plain;
  private pastKeys: Plain;
  private pastValues: Plain;
  private queue: { Z: number; a: number; floor: number; threshold: number } | undefined;

  constructor(
    private readonly original: Plain,
    private readonly covariance: Plain,
    private readonly lambda: number,
    private readonly alpha: number,
  ) {
    this.weight = original;
    this.pastKeys = zeros(original.cols, original.cols);
    this.pastValues = zeros(original.rows, original.cols);
  }

  update(keys: Plain, residuals: Plain): { drift: Plain; preservationLoss: number; queue: number; updateNorm: number } {
    const mu = this.lambda * (this.queue ? this.queue.a * this.queue.Z : 1);
    const keyMoment = product(keys, transposed(keys));
    const system = sum(sum(keyMoment, this.pastKeys), scaled(mu, this.covariance));
    const pullBack = scaled(mu, product(difference(this.original, this.weight), this.covariance));
    const past = difference(this.pastValues, product(this.weight, this.pastKeys));
    const left = sum(sum(product(residuals, transposed(keys)), pullBack), past);
    const update = dividedBy(left, system);
    this.weight = sum(this.weight, update);

    const drift = difference(this.weight, this.original);
    const preservationLoss = trace(product(product(drift, this.covariance), transposed(drift)));
    if (this.queue === undefined) {
      const threshold = this.alpha * preservationLoss;
      this.queue = { Z: Math.sqrt(threshold), a: 1 / Math.sqrt(threshold), floor: Math.sqrt(threshold), threshold };
    }
    const { Z, a, floor, threshold } = this.queue;
    this.queue.Z = Math.max(Z + a * (preservationLoss - threshold), floor);
    this.pastKeys = sum(this.pastKeys, keyMoment);
    this.pastValues = sum(this.pastValues, product(product(this.weight, keys), transposed(keys)));
    return { drift, preservationLoss, queue: a * this.queue.Z, updateNorm: norm(update) };
  }
}
