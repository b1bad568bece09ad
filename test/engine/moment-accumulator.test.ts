import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MomentAccumulator, type MomentPrecision } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { type Plain, plain, product, scaled, transposed } from "../support/plain.js";

async function meanOf(moment: MomentAccumulator): Promise<Float64Array> {
  using mean = await moment.mean();
  return mean.toFloat64Array();
}
const part = ({ cols, values }: Plain, begin: number, end: number): Plain => ({
  rows: end - begin,
  cols,
  values: values.subarray(begin * cols, end * cols),
});

/** Parts of so many rows each, one after the other. */
function partsOf(keys: Plain, sizes: number[]): Plain[] {
  let end = 0;
  return sizes.map((rows) => {
    end += rows;
    return part(keys, end - rows, end);
  });
}

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

  const momentOf = async (keys: Plain, precision: MomentPrecision = "float64") => {
    const moment = await MomentAccumulator.create(keys.cols, { precision });
    await moment.add(keys);
    return moment;
  };

  it("comes to the same bits however many producers cut the keys into calls, in either precision", async () => {
    const cases = fc.record({
      d: fc.integer({ min: 1, max: 5 }),
      // More than one block of 1024 or 4096 keys.
      pieces: fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 900, max: 9000 })), {
        minLength: 1,
        maxLength: 6,
      }),
      precision: fc.constantFrom("float64" as const, "float32" as const),
      seed: fc.nat({ max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ d, pieces, precision, seed }) => {
        const n = pieces.reduce((total, rows) => total + rows, 0);
        fc.pre(n > 0);
        const keys = plain(n, d, (i, j) => Math.sin(seed + 7 * i + 3 * j * j));
        using whole = await momentOf(keys, precision);
        using cut = await MomentAccumulator.create(d, { precision });
        await Promise.all(partsOf(keys, pieces).map((piece) => cut.add(piece)));
        expect(cut.count).toBe(n);
        expect(await meanOf(cut)).toEqual(await meanOf(whole));
      }),
      { numRuns: 30 },
    );
  });

  it("does not depend on the order in which shards are merged, beyond rounding", async () => {
    const cases = fc.record({
      sizes: fc.array(fc.integer({ min: 0, max: 1500 }), { minLength: 1, maxLength: 5 }),
      order: fc.infiniteStream(fc.nat()),
      precision: fc.constantFrom("float64" as const, "float32" as const),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ sizes, order, precision }) => {
        const n = sizes.reduce((total, rows) => total + rows, 0);
        fc.pre(n > 0);
        const keys = plain(n, 4, (i, j) => Math.cos(5 * i + j) + 0.3);
        const shards = await Promise.all(partsOf(keys, sizes).map((piece) => momentOf(piece, precision)));
        const total = await MomentAccumulator.create(4, { precision });
        while (shards.length > 0) {
          const [shard] = shards.splice(order.next().value % shards.length, 1);
          await total.merge(shard!);
        }
        expect(total.count).toBe(n);
        using whole = await momentOf(keys, precision);
        expectWithin(relativeError(await meanOf(total), await meanOf(whole)), precision === "float64" ? 1e-14 : 1e-6);
      }),
      { numRuns: 30 },
    );
  });

  it("goes on from an exported state to the same bits, and takes in shards of other threads", async () => {
    const keys = plain(3000, 6, (i, j) => Math.sin(i * j + i) + 0.1);
    for (const precision of ["float64", "float32"] as const) {
      const first = await momentOf(part(keys, 0, 1111), precision);
      const { sum, ...rest } = await first.export();
      expect(rest).toEqual({ count: 1111, precision });
      // As it would come in a message of a worker thread.
      const values = await sum.toFloat64Array();
      using second = await MomentAccumulator.import({ sum: { values, rows: 6, cols: 6 }, ...rest });
      await Promise.all([first.add(part(keys, 1111, 3000)), second.add(part(keys, 1111, 3000))]);
      expect(second.count).toBe(3000);
      expect(await meanOf(second)).toEqual(await meanOf(first));
    }
  });

  it("exports a sum and the count of just its keys, whatever is added meanwhile", async () => {
    const moment = await momentOf(plain(3, 1, () => 1));
    const [{ sum, count }] = await Promise.all([moment.export(), moment.add(plain(1, 1, () => 1))]);
    expect([await sum.toFloat64Array(), count]).toEqual([Float64Array.of(3), 3]);
  });

  it("sums float32 products in blocks, and the blocks in float64", async () => {
    const [n, d] = [3 * 4096 + 17, 3];
    const keys = plain(n, d, (i, j) => Math.fround(Math.cos(i * (j + 1)) + 2));
    const exact = scaled(1 / n, product(transposed(keys), keys)).values;
    for (const values of [keys.values, Float32Array.from(keys.values)]) {
      const moment = await MomentAccumulator.create(d, { precision: "float32" });
      await moment.add({ values, rows: n, cols: d });
      const error = relativeError(await meanOf(moment), exact);
      expectWithin(error, 1e-6);
      expect(error, "nothing was rounded to float32").toBeGreaterThan(1e-12);
    }
  });

  it("says when products of keys have overflowed float32", async () => {
    const large = plain(1, 2, () => 1e20);
    await expectRejection(meanOf(await momentOf(large, "float32")), "ERR_NOT_FINITE", "float64");
    expect(await meanOf(await momentOf(large))).toEqual(new Float64Array(4).fill(1e40));
  });

  it("takes rows out of a wider array", async () => {
    const cases = fc.record({
      rows: fc.integer({ min: 0, max: 6 }),
      cols: fc.integer({ min: 1, max: 4 }),
      gap: fc.nat({ max: 3 }),
      wide: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, cols, gap, wide }) => {
        const stride = cols + gap;
        const inside = plain(rows + 1, cols, (i, j) => i + 10 * j + 1);
        // What lies between the rows is not a number, and the array ends with the last row.
        const values = new Float64Array(rows * stride + cols).fill(Number.NaN);
        for (let i = 0; i <= rows; i++) values.set(inside.values.subarray(i * cols, (i + 1) * cols), i * stride);
        const moment = await MomentAccumulator.create(cols);
        await moment.add({ values: wide ? values : Float32Array.from(values), rows: rows + 1, cols, stride });
        expect(await meanOf(moment)).toEqual(await meanOf(await momentOf(inside)));
      }),
    );
  });

  it("refuses rows that overlap or leave their array", async () => {
    const moment = await MomentAccumulator.create(3);
    const values = new Float32Array(10);
    const add = (rows: number, stride: number) => moment.add({ values, rows, cols: 3, stride });
    await add(2, 7);
    await expectRejection(add(2, 8), "ERR_SHAPE", "8 apart", "10 values");
    await expectRejection(add(2, 2), "ERR_SHAPE", "stride");
    await expectRejection(add(2 ** 52, 2 ** 52), "ERR_SHAPE");
    await expectRejection(add(1, -3), "ERR_INVALID_ARGUMENT", "stride");
    expect(moment.count).toBe(2);
  });

  it("refuses a sum that cannot be one, and a shard of another precision", async () => {
    const importing = (values: number[], cols = 2, count = 1) =>
      MomentAccumulator.import({
        sum: { values: Float64Array.from(values), rows: 2, cols },
        count,
        precision: "float64",
      });
    await expectRejection(importing([1, 2, 3, 4, 5, 6], 3), "ERR_SHAPE", "[2, 3]");
    await expectRejection(importing([1, 2, 3, 4]), "ERR_NOT_SYMMETRIC", "symmetric");
    await expectRejection(importing([1, 2, 2, Number.NaN]), "ERR_NOT_FINITE");
    await expectRejection(importing([1, 2, 2, 5], 2, 1.5), "ERR_INVALID_ARGUMENT", "count");
    const moment = await importing([1, 2, 2, 5]);
    const other = await MomentAccumulator.create(2, { precision: "float32" });
    await expectRejection(moment.merge(other), "ERR_INVALID_ARGUMENT", "precision");
    await expectRejection(moment.merge(moment), "ERR_INVALID_ARGUMENT", "itself");
    expect(await meanOf(moment)).toEqual(Float64Array.of(1, 2, 2, 5));
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
