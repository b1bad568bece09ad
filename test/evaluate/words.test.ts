// Words and fluency of texts against NLTK; witness: test/fixtures/nltk (make.py beside it says how).

import { describe, expect, it } from "vitest";
import { fluencyOf } from "../../src/evaluate/fluency.js";
import { wordsOf } from "../../src/evaluate/words/words.js";
import { nltk } from "../support/nltk.js";

describe("a text", () => {
  it.each(nltk.texts.map(({ text, words }, i) => [i, text, words] as const))(
    "has NLTK's words (%i)",
    async (_, text, words) => {
      expect(await wordsOf(text)).toEqual(words);
    },
  );

  it("is as fluent as NLTK's words make it", async () => {
    for (const { text, fluency } of nltk.texts) expect(await fluencyOf(text)).toBeCloseTo(fluency, 12);
  });
});

describe("fluency", () => {
  it("is 0 without a pair of words, and falls where a text repeats itself", async () => {
    expect(await fluencyOf("")).toBe(0);
    expect(await fluencyOf("word")).toBe(0);
    // Pairs: 7 different; triples: 6 different.
    expect(await fluencyOf("a b c d e f g h")).toBeCloseTo(((2 / 3) * Math.log2(7) + (4 / 3) * Math.log2(6)) / 2, 12);
    // Pairs: "a b" 4 of 7, "b a" 3 of 7; triples: 3 and 3 of 6.
    const pairs = -(4 / 7) * Math.log2(4 / 7) - (3 / 7) * Math.log2(3 / 7);
    expect(await fluencyOf("a b a b a b a b")).toBeCloseTo(((2 / 3) * pairs + 4 / 3) / 2, 12);
  });
});
