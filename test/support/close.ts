import { expect } from "vitest";

/** ‖actual − expected‖ / ‖expected‖; NaN if anything is. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  expect(expected.length).toBeGreaterThan(0);
  let error = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(error / norm);
}

/** Largest |actual − expected|; NaN if anything is. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  expect(expected.length).toBeGreaterThan(0);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** |error| ≤ bound. Asks "within?", so that NaN fails. */
export function expectWithin(error: number, bound: number, what = "the error"): void {
  const within = Math.abs(error) <= bound;
  expect(within, `${what} is ${error}; at most ${bound} is allowed`).toBe(true);
}
