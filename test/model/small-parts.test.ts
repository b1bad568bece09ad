import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { builtinDirectory, builtinFiles } from "../../src/model/builtin.js";
import { tidyGeneratedText } from "../../src/model/generated-text.js";
import { mostProbable } from "../../src/model/next-tokens.js";
import { packTokens } from "../../src/model/token-batch.js";
import { expectThrow } from "../support/errors.js";

describe("packTokens", () => {
  it("puts sequences one after the other", () => {
    const { tokens, offsets } = packTokens([[5, 6, 7], [8]]);
    expect([...tokens]).toEqual([5, 6, 7, 8]);
    expect([...offsets]).toEqual([0, 3, 4]);
  });

  it("refuses an empty sequence", () => {
    expectThrow(() => packTokens([[1], []]), "ERR_INVALID_ARGUMENT", "sequence 1");
  });
});

describe("mostProbable", () => {
  it("is the softmax, sorted and cut", () => {
    // e^1 : e^3 : e^2 : e^3, so the two largest are equal and keep their order.
    const found = mostProbable(Float32Array.of(1, 3, 2, 3), 3, (token) => `<${token}>`);
    const total = Math.exp(1) + 2 * Math.exp(3) + Math.exp(2);
    expect(found.map(({ token, text }) => [token, text])).toEqual([
      [1, "<1>"],
      [3, "<3>"],
      [2, "<2>"],
    ]);
    expect(found[0]!.probability).toBeCloseTo(Math.exp(3) / total, 12);
    expect(found[2]!.probability).toBeCloseTo(Math.exp(2) / total, 12);
  });

  it("agrees with sorting, whatever the logits", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1 }), fc.nat(12), (values, top) => {
        const logits = Float32Array.from(values);
        const sorted = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b).slice(0, top);
        expect(mostProbable(logits, top, String).map(({ token }) => token)).toEqual(sorted);
      }),
      { seed: 4 },
    );
  });

  it("does not overflow, and refuses NaN", () => {
    expect(mostProbable(Float32Array.of(1e30, 0), 1, String)[0]!.probability).toBe(1);
    expectThrow(() => mostProbable(Float32Array.of(1, Number.NaN), 1, String), "ERR_NOT_FINITE");
  });
});

describe("tidyGeneratedText", () => {
  it("does what the reference does, and takes the BOS away too", () => {
    expect(tidyGeneratedText("<|begin_of_text|>The ﬁne\n\ncafé<|endoftext|>", "<|begin_of_text|>")).toBe(
      "The fine cafe\u0301",
    );
    expect(tidyGeneratedText("a\nb")).toBe("a\nb");
  });
});

describe("a built-in model", () => {
  it("has a directory and files in it", () => {
    expect(builtinFiles("atlas").edits).toBe(`${builtinDirectory("atlas")}/edits.json`);
  });

  it("is refused by name when there is none", () => {
    expectThrow(() => builtinDirectory("../../etc"), "ERR_INVALID_ARGUMENT", "builtin:atlas");
  });
});
