import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Matrix, VirtualQueue } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { entry, PlainLyapLock, product, sum, transposed, zeros } from "../support/plain.js";
import { covariance, driftOf, editorFor, random, randomMatrix } from "../support/problems.js";

interface Problem {
  d: number;
  m: number;
  batches: number[];
  lambda: number;
  alpha: number;
  seed: number;
}
const problems: fc.Arbitrary<Problem> = fc.record({
  d: fc.integer({ min: 1, max: 12 }),
  m: fc.integer({ min: 1, max: 7 }),
  batches: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  lambda: fc.double({ min: 0.5, max: 50, noNaN: true }),
  alpha: fc.double({ min: 1, max: 5, noNaN: true }),
  seed: fc.nat(),
});

describe("a layer editor", () => {
  it("gives the same drift in both forms, and the papers' formulas', for problems of any shape", async () => {
    await fc.assert(
      fc.asyncProperty(problems, async ({ d, m, batches, lambda, alpha, seed }) => {
        const next = random(seed);
        const c = covariance(next, d);
        const original = randomMatrix(next, m, d);
        const naive = new PlainLyapLock(original, c, lambda, alpha);
        const [dual, primal] = [await editorFor(c, m), await editorFor(c, m)];
        let queue = VirtualQueue.create({ alpha });
        for (const u of batches) {
          const keys = randomMatrix(next, u, d);
          const residuals = randomMatrix(next, u, m);
          const weight = queue.weight(lambda);
          const reports = [
            await dual.update({ keys, residuals, weight, form: "dual" }),
            await primal.update({ keys, residuals, weight, form: "primal" }),
          ];
          const exact = naive.update(transposed(keys), transposed(residuals));
          for (const { preservationLoss, updateNorm, solveResidual } of reports) {
            // Differences of larger numbers: where residuals nearly cancel, some of their digits do too.
            expectWithin(preservationLoss / exact.preservationLoss - 1, 1e-8);
            expectWithin(updateNorm / exact.updateNorm - 1, 1e-8);
            expectWithin(solveResidual, 1e-11);
          }
          expectWithin(relativeError(await driftOf(dual), exact.drift.values), 1e-9);
          expectWithin(relativeError(await driftOf(primal), await driftOf(dual)), 1e-9);
          queue = queue.after(reports[0]!.preservationLoss);
        }
        dual.dispose();
        primal.dispose();
      }),
      { numRuns: 60 },
    );
  });

  it("may change its form from batch to batch", async () => {
    const next = random(7);
    const c = covariance(next, 6);
    const [steady, changing] = [await editorFor(c, 3), await editorFor(c, 3)];
    for (const form of ["primal", "dual", "dual", "primal", "dual"] as const) {
      const batch = { keys: randomMatrix(next, 4, 6), residuals: randomMatrix(next, 4, 3), weight: 2 };
      await steady.update({ ...batch, form: "dual" });
      await changing.update({ ...batch, form });
      expectWithin(relativeError(await driftOf(changing), await driftOf(steady)), 1e-10);
    }
  });

  it("takes the dual form while there are few facts and the primal one once there are many", async () => {
    const next = random(8);
    const editor = await editorFor(covariance(next, 16), 4);
    const formAfter = async (u: number) =>
      (await editor.update({ keys: randomMatrix(next, u, 16), residuals: randomMatrix(next, u, 4), weight: 1 })).form;
    expect(await formAfter(2)).toBe("dual");
    expect(await formAfter(80)).toBe("primal");
    expect(editor.facts).toBe(82);
  });

  it("reaches the values it was given when nothing is preserved, and stays put when all is", async () => {
    const next = random(9);
    const [keys, residuals] = [randomMatrix(next, 3, 8), randomMatrix(next, 3, 5)];
    const reached = async (weight: number) => {
      const editor = await editorFor(covariance(next, 8), 5);
      await editor.update({ keys, residuals, weight });
      const drift = { rows: 5, cols: 8, values: await driftOf(editor) };
      return product(keys, transposed(drift)).values;
    };
    expectWithin(relativeError(await reached(1e-9), residuals.values), 1e-5);
    expectWithin(
      relativeError(sum(residuals, { ...residuals, values: await reached(1e12) }).values, residuals.values),
      1e-6,
    );
  });

  it("refuses what does not fit, and is then as it was", async () => {
    const next = random(10);
    const editor = await editorFor(covariance(next, 4), 2);
    const [keys, residuals] = [randomMatrix(next, 3, 4), randomMatrix(next, 3, 2)];
    await editor.update({ keys, residuals, weight: 1 });
    const before = await driftOf(editor);

    const bad = { ...keys, values: keys.values.map((k, i) => (i === 5 ? Number.NaN : k)) };
    const update = (changes: object) => editor.update({ keys, residuals, weight: 1, ...changes });
    await expectRejection(update({ keys: randomMatrix(next, 3, 5) }), "ERR_SHAPE", "[3, 5]");
    await expectRejection(update({ residuals: randomMatrix(next, 2, 2) }), "ERR_SHAPE", "[2, 2]");
    await expectRejection(update({ keys: bad }), "ERR_NOT_FINITE", "key");
    await expectRejection(
      update({ residuals: { ...residuals, values: residuals.values.map(() => 1 / 0) } }),
      "ERR_NOT_FINITE",
    );
    await expectRejection(update({ weight: 0 }), "ERR_INVALID_ARGUMENT", "weight");
    await expectRejection(update({ weight: Number.NaN }), "ERR_INVALID_ARGUMENT");
    await expectRejection(
      update({ keys: zeros(0, 4), residuals: zeros(0, 2) }),
      "ERR_INVALID_ARGUMENT",
      "at least one",
    );
    await expectRejection(update({ form: "both" }), "ERR_INVALID_ARGUMENT", "both");
    await expectRejection(update({ signal: AbortSignal.abort() }), "ERR_ABORTED");

    expect(editor.facts).toBe(3);
    expect(await driftOf(editor)).toEqual(before);
    const other = await editorFor(covariance(random(10), 4), 2);
    await other.update({ keys, residuals, weight: 1 });
    await Promise.all([editor, other].map((e) => e.update({ keys, residuals, weight: 3 })));
    expect(await driftOf(editor)).toEqual(await driftOf(other));
  });

  it("finishes what is under way when it is disposed of, and refuses what comes after", async () => {
    const next = random(11);
    const editor = await editorFor(covariance(next, 40), 8);
    const facts = {
      keys: await Matrix.from(randomMatrix(next, 30, 40)),
      residuals: await Matrix.from(randomMatrix(next, 30, 8)),
    };
    const under = editor.update({ ...facts, weight: 1 });
    await Promise.resolve();
    editor.dispose();
    editor.dispose();
    expect((await under).preservationLoss).toBeGreaterThan(0);
    await expectRejection(editor.update({ ...facts, weight: 1 }), "ERR_INVALID_ARGUMENT", "disposed");
  });
});

describe("a matrix", () => {
  it("keeps its values and its precision", async () => {
    const values = Float32Array.of(1.5, -2, 3e-8, 4, 5, 6);
    using single = await Matrix.from({ values, rows: 2, cols: 3 });
    expect([single.rows, single.cols, single.type]).toEqual([2, 3, "float32"]);
    values[0] = 99; // it was copied
    expect(await single.toFloat64Array()).toEqual(Float64Array.of(1.5, -2, Math.fround(3e-8), 4, 5, 6));
    using double = await Matrix.from({ values: Float64Array.of(1 / 3, 2), rows: 2, cols: 1 });
    expect(double.type).toBe("float64");
    expect(await double.toFloat32Array()).toEqual(Float32Array.of(1 / 3, 2));
    expect(entry({ rows: 2, cols: 1, values: await double.toFloat64Array() }, 0, 0)).toBe(1 / 3);
  });

  it("refuses a shape that its values do not have", async () => {
    await expectRejection(Matrix.from({ values: new Float64Array(5), rows: 2, cols: 3 }), "ERR_SHAPE", "5");
  });
});
