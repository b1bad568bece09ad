// What an editor keeps from update to update must not show in its results: neither which factor was gone on from, nor how the
// facts were cut into batches or ordered, nor whether it was put down and taken up again.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeySpace, LayerEditor, type UpdateForm } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { dividedBy, type Plain, plain, product, scaled, sum, trace, transposed, zeros } from "../support/plain.js";
import { covariance, driftOf, editorFor, random, randomMatrix } from "../support/problems.js";

interface Step {
  u: number;
  weight: number;
  form: UpdateForm;
}
/** Few weights, so that they often stay the same. */
const steps = (form: fc.Arbitrary<UpdateForm>) =>
  fc.array(fc.record({ u: fc.integer({ min: 1, max: 9 }), weight: fc.constantFrom(0.5, 0.5, 0.5, 2), form }), {
    minLength: 2,
    maxLength: 9,
  });
const anyForm = fc.constantFrom<UpdateForm>("dual", "dual", "dual", "primal");
const [d, m] = [14, 5];

const batchesOf = (next: () => number, sequence: Step[]) =>
  sequence.map(({ u, ...rest }) => ({ ...rest, keys: randomMatrix(next, u, d), residuals: randomMatrix(next, u, m) }));

describe("a sequence of updates", () => {
  it("is the same whether factors are gone on from or made anew, and its loss is tr(D C Dᵀ)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), steps(fc.constant("dual")), async (seed, sequence) => {
        const next = random(seed);
        const c = covariance(next, d);
        const [dual, primal] = [await editorFor(c, m), await editorFor(c, m)];
        let weight: number | undefined;
        for (const batch of batchesOf(next, sequence)) {
          const report = await dual.update({ ...batch, form: "dual" });
          expect(report.bordered).toBe(batch.weight === weight);
          weight = batch.weight;
          expectWithin(report.solveResidual, 1e-11);
          const other = await primal.update({ ...batch, form: "primal" });
          const drift = { rows: m, cols: d, values: await driftOf(dual) };
          expectWithin(relativeError(drift.values, await driftOf(primal)), 1e-9);
          const loss = trace(product(product(drift, c), transposed(drift)));
          expectWithin(report.preservationLoss / loss - 1, 1e-9);
          expectWithin(other.preservationLoss / loss - 1, 1e-9);
          expectWithin(report.updateNorm / other.updateNorm - 1, 1e-8);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("agrees with the other form where the facts fill several panels of the factor", async () => {
    const next = random(1);
    const c = covariance(next, 20);
    const [dual, primal] = [await editorFor(c, 3), await editorFor(c, 3)];
    for (const [i, u] of [700, 500, 900, 1, 300].entries()) {
      const batch = { keys: randomMatrix(next, u, 20), residuals: randomMatrix(next, u, 3), weight: i === 2 ? 9 : 4 };
      const { bordered, solveResidual } = await dual.update({ ...batch, form: "dual" });
      expect(bordered).toBe(i === 1 || i === 4);
      expectWithin(solveResidual, 1e-10); // 2,400 facts in 20 dimensions
      await primal.update({ ...batch, form: "primal" });
      expectWithin(relativeError(await driftOf(dual), await driftOf(primal)), 1e-8);
    }
  });

  it("does not depend on the order of the facts inside a batch", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 2, max: 9 }), anyForm, async (seed, u, form) => {
        const next = random(seed);
        const c = covariance(next, d);
        const [straight, turned] = [await editorFor(c, m), await editorFor(c, m)];
        for (const weight of [1, 1, 3]) {
          const [keys, residuals] = [randomMatrix(next, u, d), randomMatrix(next, u, m)];
          await straight.update({ keys, residuals, weight, form });
          await turned.update({ keys: upsideDown(keys), residuals: upsideDown(residuals), weight, form });
          expectWithin(relativeError(await driftOf(turned), await driftOf(straight)), 1e-9);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("hands out drifts that later updates do not change, and what the last one changed", async () => {
    const next = random(2);
    const editor = await editorFor(covariance(next, d), m);
    let before: Float64Array = new Float64Array(m * d);
    for (const weight of [1, 1, 2, 2]) {
      const held = await editor.drift();
      await editor.update({ keys: randomMatrix(next, 4, d), residuals: randomMatrix(next, 4, m), weight });
      expect(await held.toFloat64Array()).toEqual(before);
      const after = await driftOf(editor);
      using delta = await editor.delta();
      const change = after.map((x, i) => x - before[i]!);
      expectWithin(relativeError(await delta.toFloat64Array(), change), 1e-12);
      before = after;
    }
  });
});

describe("an editor that was exported and imported", () => {
  it("goes on to the same bits with a memory of values", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), steps(anyForm), fc.nat(), async (seed, sequence, cut) => {
        const next = random(seed);
        const space = await KeySpace.fromCovariance(covariance(next, d));
        const straight = await LayerEditor.create(space, { valueWidth: m });
        const batches = batchesOf(next, sequence);
        const at = cut % batches.length;
        for (const batch of batches.slice(0, at)) await straight.update(batch);
        const resumed = await LayerEditor.import(space, await straight.export());
        expect(resumed.facts).toBe(straight.facts);
        expect(await driftOf(resumed)).toEqual(await driftOf(straight));
        for (const batch of batches.slice(at)) {
          expect(await resumed.update(batch)).toEqual(await straight.update(batch));
          expect(await driftOf(resumed)).toEqual(await driftOf(straight));
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each(["keys", "none"] as const)("goes on to the same bits with a memory of %s", async (memory) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), steps(anyForm), fc.nat(), async (seed, sequence, cut) => {
        const next = random(seed);
        const space = await KeySpace.fromCovariance(covariance(next, d));
        const straight = await LayerEditor.create(space, { valueWidth: m, memory });
        let resumed = await LayerEditor.create(space, { valueWidth: m, memory });
        for (const [i, batch] of batchesOf(next, sequence).entries()) {
          if (i === cut % sequence.length) resumed = await LayerEditor.import(space, await straight.export());
          const forms = { ...batch, form: "dual" as const };
          const { bordered: _, flops: __, ...report } = await straight.update(forms);
          expect(await resumed.update(forms)).toMatchObject(report);
          expect(await driftOf(resumed)).toEqual(await driftOf(straight));
          if (memory === "keys") for (const editor of [straight, resumed]) await editor.remember(batch);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("refuses a state that lacks something", async () => {
    const next = random(3);
    const space = await KeySpace.fromCovariance(covariance(next, d));
    const editor = await LayerEditor.create(space, { valueWidth: m });
    await editor.update({ keys: randomMatrix(next, 3, d), residuals: randomMatrix(next, 3, m), weight: 1 });
    const state = await editor.export();
    await expectRejection(LayerEditor.import(space, { ...state, chain: null }), "ERR_INVALID_ARGUMENT", "chain");
    const { keys } = state.batches[0]!;
    await expectRejection(
      LayerEditor.import(space, { ...state, batches: [{ keys }] }),
      "ERR_INVALID_ARGUMENT",
      "values",
    );
    const beyond = { ...state, chain: { ...state.chain!, begin: 9 } };
    await expectRejection(LayerEditor.import(space, beyond), "ERR_INVALID_ARGUMENT", "9");
    await expectRejection(LayerEditor.import(space, { ...state, memory: "keys" }), "ERR_INVALID_ARGUMENT", "drift");
    const other = await KeySpace.fromCovariance(covariance(next, d + 1));
    await expectRejection(LayerEditor.import(other, state), "ERR_SHAPE");
  });
});

describe("a memory of keys", () => {
  it("adds what the published formula adds, with the keys it was told to remember", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), steps(anyForm), async (seed, sequence) => {
        const next = random(seed);
        const c = covariance(next, d);
        const editor = await editorFor(c, m, { memory: "keys" });
        let [drift, past] = [zeros(m, d), zeros(d, d)];
        for (const { weight, form, keys, residuals } of batchesOf(next, sequence)) {
          const { preservationLoss } = await editor.update({ weight, form, keys, residuals });
          const system = sum(sum(past, product(transposed(keys), keys)), scaled(weight, c));
          drift = sum(drift, dividedBy(product(transposed(residuals), keys), system)); // R K (λC + S + K Kᵀ)⁻¹
          expectWithin(relativeError(await driftOf(editor), drift.values), 1e-9);
          expectWithin(preservationLoss / trace(product(product(drift, c), transposed(drift))) - 1, 1e-9);
          const remembered = randomMatrix(next, keys.rows, d);
          await editor.remember({ keys: remembered });
          past = sum(past, product(transposed(remembered), remembered));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("is told by itself alone what to remember", async () => {
    const next = random(4);
    const editor = await editorFor(covariance(next, d), m, { memory: "none" });
    await expectRejection(editor.remember({ keys: randomMatrix(next, 2, d) }), "ERR_INVALID_ARGUMENT", "keys");
    const keeping = await editorFor(covariance(next, d), m, { memory: "keys" });
    await expectRejection(keeping.remember({ keys: randomMatrix(next, 2, d + 1) }), "ERR_SHAPE");
    expect(keeping.facts).toBe(0);
  });
});

describe("no memory", () => {
  it("meets the residuals exactly with a weight of zero (EMMET), and refuses facts it cannot tell apart", async () => {
    const next = random(5);
    const c = covariance(next, d);
    const editor = await editorFor(c, m, { memory: "none" });
    const [keys, residuals] = [randomMatrix(next, 6, d), randomMatrix(next, 6, m)];
    await editor.update({ keys, residuals, weight: 0 });
    const drift = { rows: m, cols: d, values: await driftOf(editor) };
    expectWithin(relativeError(product(keys, transposed(drift)).values, residuals.values), 1e-10);
    // Of all that meet them it has the least loss: it is R (K C⁻¹ Kᵀ)⁻¹ K C⁻¹.
    const whitened = dividedBy(keys, c);
    const least = dividedBy(transposed(residuals), product(whitened, transposed(keys)));
    expectWithin(relativeError(drift.values, product(least, whitened).values), 1e-10);

    const twice = { ...keys, values: keys.values.map((x, i) => (i < 2 * d ? keys.values[i % d]! : x)) };
    await expectRejection(editor.update({ keys: twice, residuals, weight: 0 }), "ERR_NOT_POSITIVE_DEFINITE", "minor 2");
    await expectRejection(editor.update({ keys, residuals, weight: 0, form: "primal" }), "ERR_INVALID_ARGUMENT");
    expect(await driftOf(editor)).toEqual(drift.values);
  });
});

const upsideDown = (a: Plain) => plain(a.rows, a.cols, (i, j) => a.values[(a.rows - 1 - i) * a.cols + j]!);
