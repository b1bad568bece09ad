// A limit on the preservation loss: the smallest weight that keeps it, and nothing of the search for it in the result.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeySpace, LayerEditor, Matrix, type UpdateForm } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { dividedBy, type Plain, plain, product, sum, transposed, zeros } from "../support/plain.js";
import { covariance, driftOf, editorFor, random, randomMatrix } from "../support/problems.js";
import { lossOfWeight } from "../support/spectrum.js";

const [d, m] = [10, 4];
const tolerance = 5e-4;

interface Batch {
  u: number;
  /** Of the residuals. */
  size: number;
  /** Of the loss that the least weight gives. */
  share: number;
  form: UpdateForm;
}
const batches = fc.array(
  fc.record({
    u: fc.integer({ min: 1, max: 8 }),
    size: fc.constantFrom(0.01, 1, 30),
    share: fc.constantFrom(1e-4, 0.01, 0.5, 0.9, 0.999, 1.5),
    form: fc.constantFrom<UpdateForm>("dual", "dual", "primal"),
  }),
  { minLength: 1, maxLength: 6 },
);
const weights = fc.constantFrom(0.1, 1, 15);

const below = (a: Plain, b: Plain): Plain => ({
  rows: a.rows + b.rows,
  cols: a.cols,
  values: Float64Array.of(...a.values, ...b.values),
});

function problem(seed: number, sequence: Batch[]) {
  const next = random(seed);
  const c = covariance(next, d);
  const made = sequence.map(({ u, size, ...rest }) => {
    const [keys, residuals] = [randomMatrix(next, u, d), randomMatrix(next, u, m)];
    return { ...rest, keys, residuals: plain(u, m, (i, j) => size * residuals.values[i * m + j]!) };
  });
  return { c, batches: made };
}

/** All facts so far, written out: what a weight does to them. */
class PlainFacts {
  private keys = zeros(0, d);
  private values = zeros(0, m);
  private drift = zeros(m, d);
  constructor(private readonly covariance: Plain) {}

  /** The loss after this batch by the weight, and what makes it final. */
  with(keys: Plain, residuals: Plain) {
    const allKeys = below(this.keys, keys);
    const targets = below(this.values, sum(product(keys, transposed(this.drift)), residuals));
    const lifted = dividedBy(allKeys, this.covariance);
    const gram = product(lifted, transposed(allKeys));
    const take = (weight: number) => {
      const system = plain(gram.rows, gram.rows, (i, j) => gram.values[i * gram.rows + j]! + (i === j ? weight : 0));
      this.drift = product(dividedBy(transposed(targets), system), lifted);
      const reached = product(keys, transposed(this.drift));
      [this.keys, this.values] = [allKeys, below(this.values, reached)];
      return this.drift;
    };
    return { loss: lossOfWeight(gram, targets), take };
  }
}

describe("a limit on the preservation loss", () => {
  it("is met by the smallest weight that meets it, in both forms", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), weights, batches, async (seed, weight, sequence) => {
        const { c, batches } = problem(seed, sequence);
        const editors = { dual: await editorFor(c, m), primal: await editorFor(c, m) };
        for (const form of ["dual", "primal"] as const) {
          const facts = new PlainFacts(c);
          for (const { keys, residuals, share } of batches) {
            const { loss, take } = facts.with(keys, residuals);
            const lossLimit = share * loss(weight);
            const report = await editors[form].update({ keys, residuals, weight, lossLimit, form });
            expectWithin(report.preservationLoss / loss(report.weight) - 1, 1e-7);
            expect(report.preservationLoss).toBeLessThanOrEqual(lossLimit);
            expect(loss(report.weight)).toBeLessThanOrEqual(lossLimit * (1 + 1e-7));
            if (report.weight !== weight) {
              expect(share).toBeLessThan(1);
              expect(report.weight).toBeGreaterThan(weight);
              expect(loss(report.weight)).toBeGreaterThanOrEqual(lossLimit * (1 - tolerance - 1e-7));
            }
            expect(report.trials).toBeLessThan(20);
            const drift = take(report.weight);
            expectWithin(relativeError(await driftOf(editors[form]), drift.values), 1e-7);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it("gives the very solution of an update with the weight that was found", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), weights, batches, fc.nat(), async (seed, weight, sequence, cut) => {
        const { c, batches } = problem(seed, sequence);
        const space = await KeySpace.fromCovariance(c);
        const searching = await LayerEditor.create(space, { valueWidth: m });
        const plainly = await LayerEditor.create(space, { valueWidth: m });
        let resumed = await LayerEditor.create(space, { valueWidth: m });
        let lossLimit = Number.POSITIVE_INFINITY;
        for (const [i, { share, ...batch }] of batches.entries()) {
          if (i === cut % batches.length) resumed = await LayerEditor.import(space, await searching.export());
          const report = await searching.update({ ...batch, weight, lossLimit });
          const { trials, flops: _, ...figures } = report;
          expect(await resumed.update({ ...batch, weight, lossLimit })).toMatchObject({ ...figures, trials });
          expect(await plainly.update({ ...batch, weight: report.weight })).toMatchObject({ ...figures, trials: 1 });
          const drift = await driftOf(searching);
          expect(await driftOf(plainly)).toEqual(drift);
          expect(await driftOf(resumed)).toEqual(drift);
          lossLimit = Math.min(lossLimit, share * 3 * report.preservationLoss);
        }
        expect(await driftOf(await LayerEditor.import(space, await searching.export()))).toEqual(
          await driftOf(searching),
        );
      }),
      { numRuns: 25 },
    );
  });

  it("leaves the factor to be gone on from while the least weight keeps it", async () => {
    const next = random(3);
    const editor = await editorFor(covariance(next, d), m);
    const update = (lossLimit: number) =>
      editor.update({
        keys: randomMatrix(next, 3, d),
        residuals: randomMatrix(next, 3, m),
        weight: 2,
        lossLimit,
        form: "dual",
      });
    expect(await update(1e9)).toMatchObject({ bordered: false, trials: 1, weight: 2 });
    expect(await update(1e9)).toMatchObject({ bordered: true, trials: 1, weight: 2 });
    const pressed = await update(1e-3);
    expect(pressed.bordered).toBe(false);
    expect(pressed.weight).toBeGreaterThan(2);
    expect(await update(1e9)).toMatchObject({ bordered: false, weight: 2 });
    expect(await update(1e9)).toMatchObject({ bordered: true, trials: 1 });
  });

  it("that no weight keeps is an error, and so is one that means nothing; the editor is then as it was", async () => {
    const next = random(4);
    const c = covariance(next, d);
    for (const form of ["dual", "primal"] as const) {
      const editor = await editorFor(c, m);
      const batch = { keys: randomMatrix(next, 3, d), residuals: randomMatrix(next, 3, m), weight: 1, form };
      await editor.update(batch);
      const before = await driftOf(editor);
      await expectRejection(editor.update({ ...batch, lossLimit: 0 }), "ERR_INVALID_ARGUMENT", "No weight");
      await expectRejection(editor.update({ ...batch, lossLimit: 1e-320 }), "ERR_INVALID_ARGUMENT", "No weight");
      await expectRejection(editor.update({ ...batch, lossLimit: -1 }), "ERR_INVALID_ARGUMENT", "-1");
      await expectRejection(editor.update({ ...batch, lossLimit: Number.NaN }), "ERR_INVALID_ARGUMENT");
      expect([editor.facts, await driftOf(editor)]).toEqual([3, before]);
      const other = await editorFor(c, m);
      await other.update(batch);
      const more = { ...batch, weight: 3 };
      expect((await editor.update(more)).preservationLoss).toBe((await other.update(more)).preservationLoss);
      expect(await driftOf(editor)).toEqual(await driftOf(other));
    }
  });

  it("of zero is kept by facts that ask for nothing", async () => {
    const next = random(5);
    const editor = await editorFor(covariance(next, d), m);
    const report = await editor.update({
      keys: randomMatrix(next, 2, d),
      residuals: zeros(2, m),
      weight: 1,
      lossLimit: 0,
    });
    expect(report).toMatchObject({ weight: 1, trials: 1, preservationLoss: 0 });
  });

  it("is refused where a larger weight need not mean a smaller loss", async () => {
    const next = random(6);
    const c = covariance(next, d);
    const batch = { keys: randomMatrix(next, 2, d), residuals: randomMatrix(next, 2, m), weight: 1, lossLimit: 1 };
    for (const memory of ["keys", "none"] as const)
      await expectRejection((await editorFor(c, m, { memory })).update(batch), "ERR_INVALID_ARGUMENT", "values");
    const nullSpace = await LayerEditor.create(await KeySpace.fromNullSpace(c, { threshold: 0.5 }), { valueWidth: m });
    await expectRejection(nullSpace.update(batch), "ERR_INVALID_ARGUMENT", "factored");
  });

  it("can be stopped between one weight and the next", async () => {
    const next = random(7);
    const [width, facts] = [300, 900];
    const c = covariance(next, width);
    const editor = await editorFor(c, 40);
    const batch = {
      keys: await Matrix.from(randomMatrix(next, facts, width)),
      residuals: await Matrix.from(randomMatrix(next, facts, 40)),
      weight: 1e-3,
    };
    const free = await editor.update({ ...batch, form: "dual" });
    const stop = new AbortController();
    const under = editor.update({
      ...batch,
      form: "dual",
      lossLimit: free.preservationLoss / 1e4,
      signal: stop.signal,
    });
    setTimeout(() => stop.abort(), 5);
    await expectRejection(under, "ERR_ABORTED");
    expect(editor.facts).toBe(facts);
  });
});
