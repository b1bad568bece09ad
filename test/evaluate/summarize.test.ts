import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CaseScores, PromptScore } from "../../src/evaluate/scores.js";
import { summarize, summarizeByBatch } from "../../src/evaluate/summarize.js";

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

  it("counts as accurate what comes first, and takes the harmonic mean of the successes", () => {
    const accurate = (one: CaseScores) => ({ ...one, rewrite: { ...one.rewrite, correct: true } }) as CaseScores;
    const metrics = summarize([
      accurate(scores(true, [true, false], [true, true, true, false])),
      scores(true, [true, false], [true, true, true, false]),
    ]);
    expect(metrics.efficacyAccuracy).toMatchObject({ mean: 50, count: 2 });
    expect(metrics.generalizationAccuracy).toMatchObject({ mean: 0, count: 2 });
    expect(metrics.specificityAccuracy).toMatchObject({ mean: 0, count: 2 });
    expect(metrics.score).toBeCloseTo(3 / (1 / 100 + 1 / 50 + 1 / 75), 10);
    expect(summarize([scores(false, [true], [true])]).score).toBe(0);
    expect(summarize([scores(true, [], [true])])).not.toHaveProperty("score");
  });

  it("is of tokens for ZsRE, and of nothing else", () => {
    const answer = (accuracy: number) => ({ prompt: "p", predicted: [], expected: [], accuracy });
    const zsre = { caseId: 0, rewrite: answer(0.5), paraphrases: [answer(1), answer(0)], neighborhood: [answer(0.25)] };
    expect(summarize([zsre])).toEqual({
      efficacy: { mean: 50, standardError: 0, count: 1 },
      generalization: { mean: 50, standardError: 0, count: 1 },
      specificity: { mean: 25, standardError: 0, count: 1 },
    });
  });

  it("is told by batch, the last of which may be smaller", () => {
    const cases = [true, true, false, true, false].map((success) => scores(success, [], [true]));
    const batches = summarizeByBatch(cases, 2);
    expect(batches.map(({ batch, efficacy: { mean, count } }) => [batch, mean, count])).toEqual([
      [1, 100, 2],
      [2, 50, 2],
      [3, 0, 1],
    ]);
    expect(summarizeByBatch([], 2)).toEqual([]);
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
