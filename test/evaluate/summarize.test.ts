import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CaseScores, PromptScore } from "../../src/evaluate/scores.js";
import { summarize } from "../../src/evaluate/summarize.js";

function score(success: boolean): PromptScore {
  return { prompt: "p", targetNew: 1, targetTrue: 2, success, correct: false };
}

function scores(rewrite: boolean, paraphrases: boolean[], neighborhood: boolean[]): CaseScores {
  return {
    caseId: 0,
    rewrite: score(rewrite),
    paraphrases: paraphrases.map(score),
    neighborhood: neighborhood.map(score),
  };
}

describe("summarize", () => {
  it("is the mean over records of the means over their prompts, in percent", () => {
    const metrics = summarize([
      scores(true, [true, false], [true, true, true]),
      scores(true, [true], [false]),
      scores(false, [], [true, true, false, true]),
    ]);
    // Shares 1, 1, 0: sample variance 1/3. Shares 1/2, 1: 1/8. Shares 1, 0, 3/4: 13/48.
    expect(metrics.efficacy).toEqual({
      mean: expect.closeTo(200 / 3, 10),
      standardError: expect.closeTo(100 / 3, 10),
      count: 3,
    });
    expect(metrics.generalization).toEqual({ mean: 75, standardError: expect.closeTo(25, 10), count: 2 });
    expect(metrics.specificity.mean).toBeCloseTo(175 / 3, 10);
    expect(metrics.specificity.standardError).toBeCloseTo(100 * Math.sqrt(13 / 48 / 3), 10);
  });

  it("has no mean without records", () => {
    expect(summarize([])).toMatchObject({ efficacy: { mean: Number.NaN, count: 0 } });
    expect(summarize([scores(true, [], [])])).toMatchObject({
      efficacy: { mean: 100, standardError: 0, count: 1 },
      generalization: { mean: Number.NaN, count: 0 },
    });
  });

  it("does not depend on the order of the records", () => {
    const one = fc.record({ rewrite: fc.boolean(), others: fc.array(fc.boolean(), { maxLength: 4 }) });
    fc.assert(
      fc.property(fc.array(one, { minLength: 1 }), (cases) => {
        const list = cases.map(({ rewrite, others }) => scores(rewrite, others, others));
        const [there, back] = [summarize(list), summarize([...list].reverse())];
        expect(back.efficacy.mean).toBeCloseTo(there.efficacy.mean, 9);
        expect(back.specificity).toEqual(back.generalization);
        expect(there.efficacy.mean).toBeGreaterThanOrEqual(0);
        expect(there.efficacy.mean).toBeLessThanOrEqual(100);
      }),
      { seed: 6 },
    );
  });
});
