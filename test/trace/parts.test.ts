import { describe, expect, it } from "vitest";
import { type AveragedTrace, suggestLayers, TraceAverages, type TracedFact } from "../../src/trace/index.js";
import { LegacyNormal } from "../../src/trace/normal.js";
import { subjectRange, tokenTexts } from "../../src/trace/subject-range.js";
import { defaultWindow } from "../../src/trace/trace.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES } from "../support/official.js";

describe("normal numbers", () => {
  // numpy.random.RandomState(seed).randn(n), NumPy 1.26 and 2 alike
  it.each([
    [1, [1.6243453636632417, -0.6117564136500754, -0.5281717522634557, -1.0729686221561705, 0.8654076293246785]],
    [2 ** 32 - 1, [0.6484086742306527, 0.6693235306338161, -1.0805437227474493, 0.2845010447986309]],
  ])("are NumPy's with seed %i", (seed, expected) => {
    const normal = new LegacyNormal(seed);
    for (const value of expected) expect(Math.abs(normal.next() - value)).toBeLessThan(1e-14);
  });

  it("are NumPy's far from the first", () => {
    const normal = new LegacyNormal(1);
    let last = 0;
    for (let i = 0; i < 10 * 3 * 576; i++) last = normal.next();
    expect(Math.abs(last - 0.34350048010340717)).toBeLessThan(1e-14);
  });
});

describe.each(FAMILIES)("the subject of a prompt in tokens of %s", (family) => {
  it("is what covers it", async () => {
    const { tokenizer } = await tinyModel(family);
    for (const [prompt, subject] of [
      ["The language of Ek Hi Bhool is", "Ek Hi Bhool"],
      ["Toyota GT-86, produced by", "Toyota GT-86"],
      ["In São Paulo 東京 they say", "São Paulo 東京"],
      ["The end is Chiasso", "Chiasso"],
    ] as const) {
      const tokens = tokenizer.encode(prompt);
      const [begin, end] = subjectRange(tokenizer, tokens, subject)!;
      const texts = tokenTexts(tokenizer, tokens);
      expect(texts.join("")).toBe(tokenizer.decode(tokens));
      expect(texts.slice(begin, end).join("").trim()).toContain(subject);
      expect(texts.slice(begin + 1, end).join("")).not.toContain(subject);
      expect(texts.slice(begin, end - 1).join("")).not.toContain(subject);
    }
    expect(subjectRange(tokenizer, tokenizer.encode("The end"), "Chiasso")).toBeUndefined();
  });
});

/** A fact of six tokens, the second to fourth its subject; score of token t in layer l is low + t + l / 10. */
function fact(low: number, subject: [number, number] = [1, 4], scale = 1): TracedFact {
  const scores = Array.from({ length: 6 }, (_, t) => [0, 1].map((l) => low + scale * (t + l / 10)));
  return {
    ...{ knownId: 0, prompt: "", subject: "", answer: "", tokenTexts: [], noise: 1, window: 2 },
    ...{ tokens: [1, 2, 3, 4, 5, 6], subjectRange: subject, high: low + 9, low },
    scores: { mlp: scores },
  };
}

describe("averages", () => {
  it("are those of all tokens of a role, with their bands", () => {
    const averages = new TraceAverages();
    averages.add(fact(0.25));
    averages.add(fact(0.5, [0, 1], 3));
    const { facts, totalEffect, low, kinds } = averages.result();
    expect(facts).toBe(2);
    expect(totalEffect).toEqual({ mean: 9, band: 0 });
    expect(low.mean).toBeCloseTo(0.375);
    const roles = kinds.mlp!;
    expect(roles.firstSubject!.mean[1]).toBeCloseTo((1.1 + 0.3) / 2);
    expect(roles.middleSubject).toMatchObject({ count: 1, band: null });
    expect(roles.middleSubject!.mean[0]).toBeCloseTo(2);
    expect(roles.lastSubject!.mean[0]).toBeCloseTo((3 + 0) / 2);
    expect(roles.lastSubject!.band![0]).toBeCloseTo((1.96 * Math.sqrt((1.5 ** 2 + 1.5 ** 2) / 1)) / Math.sqrt(2));
    expect(roles.firstSubsequent!.mean[0]).toBeCloseTo((4 + 3) / 2);
    expect(roles.further).toMatchObject({ count: 3 });
    expect(roles.further!.mean[0]).toBeCloseTo((6 + 9 + 12) / 3);
    expect(roles.last!.mean[0]).toBeCloseTo((5 + 15) / 2);
  });
});

describe("layers to edit", () => {
  const suggested = (mean: number[], band = mean.map(() => 0.01)) =>
    suggestLayers({ kinds: { mlp: { lastSubject: { count: 9, mean, band } } } } as AveragedTrace);

  it("are the span around the peak", () => {
    expect(suggested([0.1, 0.2, 0.4, 0.6, 0.5, 0.1, 0, 0, 0, 0])?.layers).toEqual([2, 3, 4]);
    expect(suggested([0.1, 0.2, 0.4, 0.6, 0.5, 0.1, 0, 0, 0, 0])?.peak).toEqual({ layer: 3, mean: 0.6, band: 0.01 });
  });

  it("are five at most, those of the larger effect, and half of the model at most", () => {
    expect(suggested([5, 6, 7, 8, 9, 10, 9, 8.5, 6, 5, 5, 5])?.layers).toEqual([3, 4, 5, 6, 7]);
    expect(suggested([5, 6, 5, 5])?.layers).toEqual([0, 1]);
  });

  it("are not the last", () => {
    expect(suggested([0.1, 0.2, 0.9])?.layers).toEqual([1]);
    expect(suggested([0.9])).toBeUndefined();
  });

  it("are none where the effect may be none", () => {
    expect(suggested([0.1, 0.2, 0.1, 0.1], [1, 0.2, 1, 1])).toBeUndefined();
    expect(suggestLayers({ kinds: {} } as AveragedTrace)).toBeUndefined();
    const one = { count: 1, mean: [1, 2, 1], band: null };
    expect(suggestLayers({ kinds: { mlp: { lastSubject: one } } } as AveragedTrace)).toBeUndefined();
  });
});

it("windows are ten layers, and in shallow models half of them", () => {
  expect([48, 28, 20, 12, 5, 1].map(defaultWindow)).toEqual([10, 10, 10, 6, 2, 2]);
});
