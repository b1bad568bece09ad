import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MomentAccumulator } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { type Plain, plain, product, scaled, transposed } from "../support/plain.js";

async function meanOf(moment: MomentAccumulator): Promise<Float64Array> {
  using mean = await moment.mean();
  return mean.toFloat64Array();
}
const part = ({ cols, values }: Plain, begin: number, end: number) => ({
  rows: end - begin,
  cols,
  values: values.subarray(begin * cols, end * cols),
});

describe("a moment accumulator", () => {
  it("is the mean of k kᵀ, however the keys are cut into blocks and shards", async () => {
    const cases = fc.record({
      n: fc.integer({ min: 2, max: 40 }),
      d: fc.integer({ min: 1, max: 9 }),
      cut: fc.double({ min: 0, max: 1, noNaN: true }),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ n, d, cut, seed }) => {
        const keys = plain(n, d, (i, j) => Math.sin(seed + 7 * i + 3 * j * j));
        const at = Math.round(cut * n);
        const [first, second] = [await MomentAccumulator.create(d), await MomentAccumulator.create(d)];
        await Promise.all([first.add(part(keys, 0, at)), second.add(part(keys, at, n))]);
        await first.merge(second);
        expect(first.count).toBe(n);
        expectWithin(relativeError(await meanOf(first), scaled(1 / n, product(transposed(keys), keys)).values), 1e-13);
      }),
      { numRuns: 40 },
    );
  });

  it("adds float32 keys without rounding their products", async () => {
    const keys = Float32Array.from({ length: 3000 * 4 }, (_, i) => Math.fround(Math.cos(i) + 1.1));
    const moment = await MomentAccumulator.create(4);
    await moment.add({ values: keys, rows: 3000, cols: 4 });
    const wide = { rows: 3000, cols: 4, values: Float64Array.from(keys) };
    expectWithin(relativeError(await meanOf(moment), scaled(1 / 3000, product(transposed(wide), wide)).values), 1e-13);
  });

  it("refuses NaN, another width, and a mean of nothing, and is then as it was", async () => {
    const moment = await MomentAccumulator.create(2);
    await expectRejection(moment.mean(), "ERR_INVALID_ARGUMENT", "before its first key");
    await moment.add({ values: Float64Array.of(1, 2), rows: 1, cols: 2 });
    await expectRejection(moment.add({ values: Float32Array.of(1, Number.NaN), rows: 1, cols: 2 }), "ERR_NOT_FINITE");
    await expectRejection(moment.add({ values: new Float32Array(3), rows: 1, cols: 3 }), "ERR_SHAPE");
    await expectRejection(moment.merge(await MomentAccumulator.create(3)), "ERR_SHAPE");
    expect(moment.count).toBe(1);
    expect(await meanOf(moment)).toEqual(Float64Array.of(1, 2, 2, 4));
  });
});
