/**
 * Classes that were predicted against the true ones, as counts. A prediction that is no class counts as one more class of its
 * own, which is never true.
 */
class Confusion {
  readonly classes: number[];
  private readonly counts = new Map<string, number>();

  constructor(
    readonly truth: readonly number[],
    readonly predicted: readonly number[],
  ) {
    this.classes = [...new Set([...truth, ...predicted])];
    truth.forEach((label, i) => {
      this.add(`${label} ${predicted[i]}`);
      this.add(`true ${label}`);
      this.add(`predicted ${predicted[i]}`);
    });
  }

  /** How often a class was rightly predicted, was true, and was predicted. */
  of(label: number): { hits: number; support: number; predictions: number } {
    return {
      hits: this.counts.get(`${label} ${label}`) ?? 0,
      support: this.counts.get(`true ${label}`) ?? 0,
      predictions: this.counts.get(`predicted ${label}`) ?? 0,
    };
  }

  private add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

/**
 * F1 of every class, weighted by how often the class is true: scikit-learn's f1_score with average="weighted".
 *
 * @returns 0 to 1.
 */
export function weightedF1(truth: readonly number[], predicted: readonly number[]): number {
  const confusion = new Confusion(truth, predicted);
  let sum = 0;
  for (const label of confusion.classes) {
    const { hits, support, predictions } = confusion.of(label);
    sum += (support * 2 * hits) / (support + predictions); // 2·hits / (support + predictions) is F1
  }
  return sum / truth.length;
}

/**
 * Matthews's correlation of any number of classes (Gorodkin 2004, R_K): scikit-learn's matthews_corrcoef.
 *
 * @returns -1 to 1; 0 where one class is always predicted, or always true.
 */
export function matthewsCorrelation(truth: readonly number[], predicted: readonly number[]): number {
  const confusion = new Confusion(truth, predicted);
  const total = truth.length;
  let [hits, products, supports, predictions] = [0, 0, 0, 0];
  for (const label of confusion.classes) {
    const counts = confusion.of(label);
    hits += counts.hits;
    products += counts.support * counts.predictions;
    supports += counts.support ** 2;
    predictions += counts.predictions ** 2;
  }
  const scale = (total ** 2 - supports) * (total ** 2 - predictions);
  return scale === 0 ? 0 : (hits * total - products) / Math.sqrt(scale);
}
