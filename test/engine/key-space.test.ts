import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeySpace, preservationLoss } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { difference, entry, type Plain, plain, product, trace, transposed } from "../support/plain.js";
import { covariance, plainOf, random, randomMatrix } from "../support/problems.js";

describe("a key space", () => {
  it("makes the preserved keys white, and lifts to C⁻¹ k", async () => {
    const next = random(12);
    const c = covariance(next, 9);
    const space = await KeySpace.fromCovariance(c);
    const keys = randomMatrix(next, 4, 9);
    using whitened = await space.whiten(keys);
    using lifted = await space.lift(whitened);
    const w = { rows: 4, cols: 9, values: await whitened.toFloat64Array() };
    const b = { rows: 4, cols: 9, values: await lifted.toFloat64Array() };
    expectWithin(relativeError(product(b, c).values, keys.values), 1e-11);
    expectWithin(relativeError(product(w, transposed(w)).values, product(b, transposed(keys)).values), 1e-11);
  });

  it("says which pivot fails, and takes a ridge only when asked", async () => {
    const singular = plain(5, 5, (i, j) => (i === j && i < 3 ? 2 : 0));
    await expectRejection(KeySpace.fromCovariance(singular), "ERR_NOT_POSITIVE_DEFINITE", "leading minor 4 of 5");
    const space = await KeySpace.fromCovariance(singular, { ridge: 0.5 });
    expectWithin(space.ridge - (0.5 * 6) / 5, 1e-15);
    expectWithin(space.pivots.smallest - 0.6, 1e-12);
    expectWithin(space.pivots.largest - 2.6, 1e-12);
    await expectRejection(KeySpace.fromCovariance(singular, { ridge: -1 }), "ERR_INVALID_ARGUMENT", "ridge");
    await expectRejection(KeySpace.fromCovariance(plain(2, 3, () => 1)), "ERR_SHAPE", "[2, 3]");
    await expectRejection(KeySpace.fromCovariance(plain(2, 2, () => Number.NaN)), "ERR_NOT_FINITE");
  });

  it("takes back by lifting what whitening did, for the covariance of any keys", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 9 }),
        async (seed, d, n) => {
          const next = random(seed);
          const c = covariance(next, d);
          const space = await KeySpace.fromCovariance(c);
          const keys = randomMatrix(next, n, d);
          const lifted = await plainOf(space.whiten(keys).then((whitened) => space.lift(whitened)));
          expectWithin(relativeError(product(lifted, c).values, keys.values), 1e-10); // C (C⁻¹ k) = k
          space.dispose();
        },
      ),
      { numRuns: 30 },
    );
  });

  it("estimates the condition of the covariance", async () => {
    for (const smallest of [1, 1e-2, 1e-5, 1e-8]) {
      const next = random(3);
      const turn = rotation(next, 30);
      const values = plain(30, 30, (i, j) => (i === j ? smallest ** (i / 29) : 0));
      const { condition, rank } = await KeySpace.fromCovariance(product(product(turn, values), transposed(turn)));
      expect(condition * smallest).toBeGreaterThan(0.3);
      expect(condition * smallest).toBeLessThan(1.001);
      expect(rank).toBe(30);
    }
  });

  it("names what is wrong with a covariance", async () => {
    const next = random(4);
    const sound = covariance(next, 12);
    const twice = plain(12, 12, (i, j) => entry(sound, i === 7 ? 3 : i, j === 7 ? 3 : j)); // row 7 is row 3
    await expectRejection(KeySpace.fromCovariance(twice), "ERR_NOT_POSITIVE_DEFINITE", "leading minor 8 of 12");
    const barely = plain(12, 12, (i, j) => entry(twice, i, j) + (i === 7 && j === 7 ? 3e-14 : 0));
    await expectRejection(KeySpace.fromCovariance(barely), "ERR_ILL_CONDITIONED", "row 8 of 12");
    const dead = plain(12, 12, (i, j) => (i === 5 || j === 5 ? 0 : entry(sound, i, j)));
    await expectRejection(KeySpace.fromCovariance(dead), "ERR_NOT_POSITIVE_DEFINITE", "always zero");
    const indefinite = plain(12, 12, (i, j) => entry(sound, i, j) - (i === j ? 0.5 : 0));
    await expectRejection(KeySpace.fromCovariance(indefinite), "ERR_NOT_POSITIVE_DEFINITE", "leading minor");
    const lopsided = plain(12, 12, (i, j) => (i < j ? 0 : entry(sound, i, j)));
    await expectRejection(KeySpace.fromCovariance(lopsided), "ERR_NOT_SYMMETRIC", "transpose");
    await expectRejection(KeySpace.fromNullSpace(lopsided, { threshold: 1 }), "ERR_NOT_SYMMETRIC");
    const holed = plain(12, 12, (i, j) => (i === 4 && j === 2 ? Number.NaN : entry(sound, i, j)));
    await expectRejection(KeySpace.fromCovariance(holed), "ERR_NOT_FINITE");
    await expectRejection(KeySpace.fromNullSpace(holed, { threshold: 1 }), "ERR_NOT_FINITE");
    // What a ridge is for.
    for (const poor of [twice, barely, dead]) (await KeySpace.fromCovariance(poor, { ridge: 1e-3 })).dispose();
  });
});

describe("a null space", () => {
  it("keeps the directions below its threshold, and those alone", async () => {
    const next = random(5);
    const turn = rotation(next, 20);
    const values = plain(20, 20, (i, j) => (i === j ? (i < 6 ? 1 + i : 1e-3 * i) : 0));
    const c = product(product(turn, values), transposed(turn));
    const space = await KeySpace.fromNullSpace(c, { threshold: 0.02 });
    expect(space.rank).toBe(14);
    expectWithin(space.condition / (6 / 6e-3) - 1, 1e-9);
    const keys = randomMatrix(next, 3, 20);
    const projected = await plainOf(space.whiten(keys).then((whitened) => space.lift(whitened)));
    // P = U0 U0ᵀ, from the vectors the covariance was made of.
    const basis = plain(20, 20, (i, j) => (j < 6 ? 0 : entry(turn, i, j)));
    expectWithin(relativeError(projected.values, product(keys, product(basis, transposed(basis))).values), 1e-10);
    await expectRejection(KeySpace.fromNullSpace(c, { threshold: 1e-9 }), "ERR_INVALID_ARGUMENT", "no null space");
    await expectRejection(KeySpace.fromNullSpace(c, { threshold: 0 }), "ERR_INVALID_ARGUMENT", "threshold");
  });
});

describe("the preservation loss", () => {
  it("is tr(D C Dᵀ)", async () => {
    const next = random(6);
    const c = covariance(next, 7);
    const drift = randomMatrix(next, 4, 7);
    const direct = trace(product(product(drift, c), transposed(drift)));
    expectWithin((await preservationLoss(drift, c)) / direct - 1, 1e-13);
    await expectRejection(preservationLoss(drift, covariance(next, 6)), "ERR_SHAPE", "[7, 7]");
  });
});

/** An orthogonal matrix: a product of reflections. */
function rotation(next: () => number, d: number): Plain {
  let turn = plain(d, d, (i, j) => (i === j ? 1 : 0));
  for (let i = 0; i < d; i++) {
    const v = randomMatrix(next, d, 1);
    const squared = v.values.reduce((total, x) => total + x * x, 0);
    const reflected = product(product(turn, v), transposed(v));
    turn = difference(turn, { ...reflected, values: reflected.values.map((x) => (2 * x) / squared) });
  }
  return turn;
}
