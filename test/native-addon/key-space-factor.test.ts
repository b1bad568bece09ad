import { describe, expect, it } from "vitest";
import { addon, call } from "../../src/native/index.js";
import { expectRejection } from "../support/errors.js";
import { type Plain, plain, product, sum, transposed } from "../support/plain.js";

const matrixOf = ({ values, rows, cols }: Plain) => addon().createMatrix(values, rows, cols);

describe("the factor of a key space", () => {
  it("is lower triangular, and makes the same key space to the bit", async () => {
    const d = 7;
    const root = plain(d, d, (i, j) => Math.sin(3 * i + j * j));
    const covariance = sum(
      product(root, transposed(root)),
      plain(d, d, (i, j) => (i === j ? 1 : 0)),
    );
    const space = await call(() => addon().createKeySpace(matrixOf(covariance), 0));
    const factor = await call(() => space.factor());
    const values = await call(() => factor.toFloat64Array());
    for (let i = 0; i < d; i++) for (let j = i + 1; j < d; j++) expect(values[i * d + j]).toBe(0);

    const again = await call(() => addon().createKeySpaceFromFactor(factor, 0));
    const keys = matrixOf(plain(3, d, (i, j) => i - j));
    const whitened = await Promise.all([space, again].map(async (of) => (await of.whiten(keys)).toFloat64Array()));
    expect(whitened[1]).toEqual(whitened[0]);
    expect(again).toMatchObject({ smallestPivot: space.smallestPivot, largestPivot: space.largestPivot, ridge: 0 });
  });

  it("is refused when it cannot be one", async () => {
    const from = (rows: number, cols: number, ...values: number[]) =>
      call(() => addon().createKeySpaceFromFactor(addon().createMatrix(Float64Array.from(values), rows, cols), 0));
    await expectRejection(from(1, 2, 1, 2), "ERR_SHAPE", "[1, 2]");
    await expectRejection(from(2, 2, 1, 0, 2, 0), "ERR_INVALID_ARGUMENT", "positive");
    await expectRejection(from(2, 2, 1, 0, Number.NaN, 1), "ERR_NOT_FINITE");
  });
});
