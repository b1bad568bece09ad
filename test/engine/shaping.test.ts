import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compressSingularValues, KeySpace, keepTopShare, rankOneUpdate } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { plainCompression, singularValues } from "../support/jacobi.js";
import {
  difference,
  dividedBy,
  norm,
  type Plain,
  plain,
  product,
  scaled,
  sum,
  trace,
  transposed,
  zeros,
} from "../support/plain.js";
import { covariance, plainOf, random, randomMatrix } from "../support/problems.js";

const shapes = fc.record({ seed: fc.nat(), m: fc.integer({ min: 1, max: 9 }), d: fc.integer({ min: 1, max: 14 }) });

describe("keeping the top share", () => {
  const shares = fc.double({ min: 1e-3, max: 1, noNaN: true });

  it("keeps n − ⌊(1 − share) n⌋ + 1 elements, unchanged, and those are the largest for their weight", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, shares, async ({ seed, m, d }, share) => {
        const next = random(seed);
        const [delta, weight] = [randomMatrix(next, m, d), randomMatrix(next, m, d)];
        const kept = await plainOf(keepTopShare(delta, weight, { share }));
        const changes = Array.from(delta.values, (x, i) => Math.abs(x / (weight.values[i]! + 1e-8)));
        fc.pre(new Set(changes).size === m * d);
        const dropped = Math.max(Math.floor((1 - share) * m * d) - 1, 0);
        const largest = changes
          .map((_, i) => i)
          .sort((i, j) => changes[i]! - changes[j]!)
          .slice(dropped);
        const wanted = new Float64Array(m * d);
        for (const i of largest) wanted[i] = delta.values[i]!;
        expect(kept.values).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  it("measures by the weight with its sign, a hair above zero", async () => {
    // |Δ / (W + 1e-8)| is 1, 2, 3, 1e8 and infinite.
    const delta = plain(1, 5, (_, j) => [1, -2, 3, 1, 1e-3][j]!);
    const weight = plain(1, 5, (_, j) => [1, 1, -1, 0, -1e-8][j]!);
    const kept = async (share: number) => [...(await plainOf(keepTopShare(delta, weight, { share }))).values];
    expect(await kept(0.1)).toEqual([0, 0, 0, 1, 1e-3]); // rank 4 of 5
    expect(await kept(0.3)).toEqual([0, 0, 3, 1, 1e-3]);
    expect(await kept(0.5)).toEqual([0, -2, 3, 1, 1e-3]);
    expect(await kept(0.7)).toEqual([...delta.values]);
  });

  it("keeps all of what is equal to the least that stays", async () => {
    const ones = plain(2, 5, () => 1);
    expect((await plainOf(keepTopShare(ones, ones, { share: 0.2 }))).values).toEqual(ones.values);
  });

  it("keeps everything with a share of 1, and the published share by default", async () => {
    const next = random(1);
    const [delta, weight] = [randomMatrix(next, 10, 10), randomMatrix(next, 10, 10)];
    expect((await plainOf(keepTopShare(delta, weight, { share: 1 }))).values).toEqual(delta.values);
    expect((await plainOf(keepTopShare(delta, weight))).values.filter((x) => x !== 0).length).toBe(41);
  });

  it("refuses shares that are none, and weights of another shape", async () => {
    const ones = plain(2, 5, () => 1);
    for (const share of [0, -0.5, 1.5])
      await expectRejection(keepTopShare(ones, ones, { share }), "ERR_INVALID_ARGUMENT", "share", `${share}`);
    for (const share of [Number.NaN, Number.POSITIVE_INFINITY])
      await expectRejection(keepTopShare(ones, ones, { share }), "ERR_INVALID_ARGUMENT", "share");
    await expectRejection(keepTopShare(ones, transposed(ones)), "ERR_SHAPE", "[2, 5]", "[5, 2]");
  });
});

describe("compressing singular values", () => {
  it("replaces those over the original's largest by their logarithm, and leaves directions alone", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.double({ min: 0.1, max: 30, noNaN: true }), async ({ seed, m, d }, size) => {
        const next = random(seed);
        const [rows, cols] = [Math.min(m, d), Math.max(m, d)];
        const original = randomMatrix(next, rows, cols);
        const drift = scaled(size, randomMatrix(next, rows, cols));
        const exact = plainCompression(drift, original);
        const found = await plainOf(compressSingularValues(drift, original));
        expectWithin(relativeError(found.values, exact.compressed.values), 1e-11);
        // Lying down or standing, a matrix has the same singular values.
        const standing = await plainOf(compressSingularValues(transposed(drift), transposed(original)));
        expectWithin(relativeError(transposed(standing).values, exact.compressed.values), 1e-11);
        const values = singularValues(found).values;
        for (const [i, s] of singularValues(drift).values.entries()) {
          const wanted = s > exact.limit ? exact.limit + Math.log(s / exact.limit) : s;
          expectWithin(values[i]! / wanted - 1, 1e-11);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("leaves a drift alone whose singular values are at most the limit", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async ({ seed, m, d }) => {
        const next = random(seed);
        const [original, drift] = [randomMatrix(next, m, d), randomMatrix(next, m, d)];
        const limit = singularValues(m <= d ? original : transposed(original)).values[0]!;
        const small = scaled((0.999 * limit) / norm(drift), drift);
        for (const [unchanged, against] of [
          [small, original],
          [drift, drift],
        ] as const) {
          const found = await plainOf(compressSingularValues(unchanged, against));
          expectWithin(relativeError(found.values, unchanged.values), 1e-12);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("gives a drift of zero back", async () => {
    const original = plain(2, 3, () => 1);
    expect((await plainOf(compressSingularValues(zeros(2, 3), original))).values).toEqual(zeros(2, 3).values);
  });

  it("refuses an original of zero, what is not finite, and another shape", async () => {
    const ones = plain(2, 3, () => 1);
    const holed = plain(2, 3, (i, j) => (i + j === 2 ? Number.NaN : 1));
    await expectRejection(compressSingularValues(ones, zeros(2, 3)), "ERR_INVALID_ARGUMENT", "zero");
    await expectRejection(compressSingularValues(holed, ones), "ERR_NOT_FINITE");
    await expectRejection(compressSingularValues(ones, holed), "ERR_NOT_FINITE");
    await expectRejection(compressSingularValues(ones, transposed(ones)), "ERR_SHAPE", "[2, 3]", "[3, 2]");
  });
});

describe("a rank-one update", () => {
  const problem = async (seed: number, m: number, d: number) => {
    const next = random(seed);
    const c = covariance(next, d);
    const [meanKey, key] = [randomMatrix(next, 1, d), randomMatrix(next, 1, d)];
    const direction = dividedBy(meanKey, c); // k̄ C⁻¹
    // The less of k lies along it, the larger is the update.
    fc.pre(Math.abs(inner(direction, key)) > 1e-2 * norm(direction) * norm(key));
    const fact = { meanKey, key, residual: randomMatrix(next, 1, m) };
    return { next, c, direction, fact, space: await KeySpace.fromCovariance(c) };
  };
  const outputAt = (update: Plain, key: Plain) => product(key, transposed(update));

  it("adds the residual at the key, and nothing at keys that are orthogonal to the mean key in the metric C⁻¹", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async ({ seed, m, d }) => {
        const { next, c, direction, fact, space } = await problem(seed, m, d);
        const update = await plainOf(rankOneUpdate(space, fact));
        expectWithin(relativeError(outputAt(update, fact.key).values, fact.residual.values), 1e-10);
        // Of a key x C its part along k̄, which is k̄ · x / k̄ C⁻¹ k̄ᵀ times k̄, is taken away.
        const x = randomMatrix(next, 1, d);
        const along = scaled(inner(x, fact.meanKey) / inner(direction, fact.meanKey), fact.meanKey);
        const whole = product(x, c);
        const nothing = norm(outputAt(update, difference(whole, along)));
        expectWithin(nothing / (norm(update) * (norm(whole) + norm(along))), 1e-10);
      }),
      { numRuns: 60 },
    );
  });

  it("has the least preservation loss of all that add the residual, where both keys are one", async () => {
    const { next, c, fact, space } = await problem(3, 4, 9);
    const { key, residual } = fact;
    const update = await plainOf(rankOneUpdate(space, { ...fact, meanKey: key }));
    const loss = (drift: Plain) => trace(product(product(drift, c), transposed(drift)));
    for (let i = 0; i < 20; i++) {
      const step = scaled(0.01, randomMatrix(next, 4, 9));
      const atKey = scaled(1 / inner(key, key), product(product(step, transposed(key)), key));
      const other = sum(update, difference(step, atKey)); // it adds the residual too
      expectWithin(relativeError(outputAt(other, key).values, residual.values), 1e-10);
      expect(loss(other)).toBeGreaterThan(loss(update));
    }
  });

  it("does not depend on the length of the mean key", async () => {
    const { space, fact } = await problem(4, 3, 6);
    const update = await plainOf(rankOneUpdate(space, fact));
    const longer = await plainOf(rankOneUpdate(space, { ...fact, meanKey: scaled(-250, fact.meanKey) }));
    expectWithin(relativeError(longer.values, update.values), 1e-12);
  });

  it("refuses a key without a part along the direction, and what does not fit", async () => {
    const space = await KeySpace.fromCovariance(plain(3, 3, (i, j) => (i === j ? 1 + i : 0)));
    const [first, second] = [plain(1, 3, (_, j) => (j === 0 ? 1 : 0)), plain(1, 3, (_, j) => (j === 1 ? 1 : 0))];
    const fact = { meanKey: first, key: first, residual: plain(1, 2, () => 1) };
    const update = (changes: object) => rankOneUpdate(space, { ...fact, ...changes });
    await expectRejection(update({ key: second }), "ERR_INVALID_ARGUMENT", "no part along");
    await expectRejection(update({ meanKey: zeros(1, 3) }), "ERR_INVALID_ARGUMENT", "no part along");
    await expectRejection(update({ key: plain(2, 3, () => 1) }), "ERR_SHAPE", "[2, 3]");
    await expectRejection(update({ key: plain(1, 4, () => 1) }), "ERR_SHAPE", "[1, 4]");
    await expectRejection(update({ meanKey: plain(1, 4, () => 1) }), "ERR_SHAPE", "[1, 4]");
    await expectRejection(update({ residual: plain(2, 2, () => 1) }), "ERR_SHAPE", "[2, 2]");
    for (const name of ["meanKey", "key", "residual"] as const) {
      const bad = { ...fact[name], values: fact[name].values.map(() => Number.NaN) };
      await expectRejection(update({ [name]: bad }), "ERR_NOT_FINITE");
    }
  });
});

/** x · y of two rows. */
const inner = (x: Plain, y: Plain): number => trace(product(x, transposed(y)));
