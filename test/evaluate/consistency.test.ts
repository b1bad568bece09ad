// Likeness of texts against scikit-learn; witness: test/fixtures/nltk (make.py beside it says how).

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readReferenceTexts } from "../../src/data/reference-texts.js";
import { Consistency } from "../../src/evaluate/consistency.js";
import { expectRejection } from "../support/errors.js";
import { nltk } from "../support/nltk.js";
import { npy } from "../support/npz.js";
import { writeReferenceTexts } from "../support/reference-texts.js";

const { first, cosines, idf } = nltk.likeness;
const texts = nltk.texts.map(({ text }) => text.replaceAll("\ufeff", "")); // the streaming JSON parser loses it

describe("consistency", () => {
  it("is scikit-learn's cosine of TF-IDF vectors", async () => {
    const references = first.map((i, j): [string, string, string[]] => [`P${j}`, "Q1", texts.slice(i + 3, i + 5)]);
    const consistency = new Consistency(await readReferenceTexts(await writeReferenceTexts(references)));
    for (const [j, i] of first.entries()) {
      for (const again of [1, 2]) {
        const found = await consistency.of(texts.slice(i, i + 3), `P${j}`, "Q1");
        expect(found, `pair ${j}, time ${again}`).toBeCloseTo(cosines[j]!, 12);
      }
    }
  });

  it("is there only where there are reference texts, 0 without a known word, and 1 for the same text", async () => {
    const directory = await writeReferenceTexts([
      ["P1", "Q1", ["He met Sen. Warren"]],
      ["P1", "Q1", ["They talked."]],
    ]);
    const consistency = new Consistency(await readReferenceTexts(directory));
    expect(await consistency.of(["He met"], "P1", "Q2")).toBeUndefined();
    expect(await consistency.of(["He met"], "Q1", "P1")).toBeUndefined();
    expect(await consistency.of(["xyzzy"], "P1", "Q1")).toBe(0);
    expect(await consistency.of(["they TALKED", "he met sen warren"], "P1", "Q1")).toBeCloseTo(1, 12);
  });
});

describe("a directory of reference texts", () => {
  it.each<[string, string | Buffer, string]>([
    ["attribute_snippets.json", '[{"relation_id": "P1", "samples": []}]', "element 0"],
    ["attribute_snippets.json", "{}", "not an array"],
    ["tfidf_vocab.json", '{"word": -1}', "word"],
    ["tfidf_vocab.json", "[]", "object"],
    ["tfidf_vocab.json", `{"word": ${idf.length}}`, `${idf.length} numbers`],
    ["idf.npy", npy("<f4", [2], Float32Array.of(1, 2)), "<f4"],
    ["idf.npy", npy("<f8", [3], Float64Array.of(1, 2)), "16 bytes"],
    ["idf.npy", npy("<f8", [1, 2], Float64Array.of(1, 2)), "[1, 2]"],
    ["idf.npy", npy("<f8", [2], Float64Array.of(1, 2)).subarray(0, 40), "header"],
  ])("is refused with a bad %s (%#)", async (name, content, part) => {
    const directory = await writeReferenceTexts([["P1", "Q1", ["text"]]]);
    await writeFile(join(directory, name), content);
    await expectRejection(readReferenceTexts(directory), "ERR_DATASET_FORMAT", name, part);
  });

  it("is named where a file is missing", async () => {
    await expectRejection(readReferenceTexts("nowhere"), "ERR_FILE", "nowhere");
  });
});
