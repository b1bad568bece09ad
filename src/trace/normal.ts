import { mersenne } from "pure-rand/generator/mersenne";

/**
 * Standard normal numbers as NumPy's `RandomState(seed).randn` draws them, so that noise is that of the published code: pairs
 * by Marsaglia's polar method from doubles of 53 bits, of a pair the second first.
 */
export class LegacyNormal {
  private readonly generator: ReturnType<typeof mersenne>;
  private left: number | undefined;

  constructor(seed: number) {
    this.generator = mersenne(seed);
  }

  next(): number {
    if (this.left !== undefined) {
      const left = this.left;
      this.left = undefined;
      return left;
    }
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      this.left = scale * x;
      return scale * y;
    }
  }

  /** In [0, 1). */
  private uniform(): number {
    const high = (this.generator.next() >>> 0) >>> 5;
    const low = (this.generator.next() >>> 0) >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }
}
