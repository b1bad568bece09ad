import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GgufHeader } from "../../../src/model/gguf/header.js";
import { tokenizerFromGguf } from "../../../src/model/gguf/tokenizer.js";
import { Tokenizer } from "../../../src/model/tokenizer.js";
import { expectRejection } from "../../support/errors.js";
import { ggufBytes, type Metadata, writeTinyGguf } from "../../support/gguf.js";
import { officialPath } from "../../support/official.js";
import { temporaryDirectory } from "../../support/temporary.js";

async function tokenizerOf(file: string): Promise<Tokenizer> {
  const { tokenizer, tokenizerConfig } = await tokenizerFromGguf(await GgufHeader.read(file));
  return Tokenizer.create(tokenizer, tokenizerConfig, file);
}

interface Pieces {
  tokens: string[];
  scores: number[];
  types: number[];
  texts: string[];
  ids: number[][];
}

// pieces.json was written by SentencePiece itself (make.py beside it).
const pieces = JSON.parse(
  readFileSync(new URL("../../fixtures/sentencepiece/pieces.json", import.meta.url), "utf8"),
) as Pieces;

async function writePieces(change: Metadata = {}): Promise<string> {
  const file = path.join(await temporaryDirectory(), "pieces.gguf");
  const metadata: Metadata = {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": { texts: pieces.tokens },
    "tokenizer.ggml.scores": { f32s: pieces.scores },
    "tokenizer.ggml.token_type": { i32s: pieces.types },
    "tokenizer.ggml.bos_token_id": { u32: 1 },
    "tokenizer.ggml.eos_token_id": { u32: 2 },
    "tokenizer.ggml.unknown_token_id": { u32: 0 },
    ...change,
  };
  await writeFile(file, ggufBytes(metadata, {}));
  return file;
}

describe("SentencePiece's tables", () => {
  it("make a tokenizer that agrees with SentencePiece", async () => {
    const tokenizer = await tokenizerOf(await writePieces({ "tokenizer.ggml.add_bos_token": false }));
    pieces.texts.forEach((text, i) => {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids: pieces.ids[i] });
    });
    expect(pieces.texts.length).toBeGreaterThan(200);
    expect(tokenizer.encode("a<tool>b")).toContain(pieces.tokens.indexOf("<tool>"));
  });

  it("decode to the text they encoded", async () => {
    const tokenizer = await tokenizerOf(await writePieces({ "tokenizer.ggml.add_bos_token": false }));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
        fc.pre(!text.includes("▁"));
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("put BOS in front unless the file says otherwise, and EOS behind where it says so", async () => {
    const inner = (await tokenizerOf(await writePieces({ "tokenizer.ggml.add_bos_token": false }))).encode("a b");
    const usual = await tokenizerOf(await writePieces());
    expect(usual.encode("a b")).toEqual([1, ...inner]);
    expect(usual).toMatchObject({ bosId: 1, endOfTextId: 2, addsBos: true });
    const both = await tokenizerOf(await writePieces({ "tokenizer.ggml.add_eos_token": true }));
    expect(both.encode("a b")).toEqual([1, ...inner, 2]);
  });

  it("must be as long as each other", async () => {
    const change: Metadata = { "tokenizer.ggml.scores": { f32s: [1, 2] } };
    await expectRejection(tokenizerOf(await writePieces(change)), "ERR_TOKENIZER", "2 scores", "pieces.gguf");
    const types: Metadata = { "tokenizer.ggml.token_type": { i32s: [...pieces.types, 1] } };
    await expectRejection(tokenizerOf(await writePieces(types)), "ERR_TOKENIZER", "types");
  });
});

// splits.json was written by Hugging Face's tokenizers, with the patterns of the models that the names stand for.
interface Splits {
  tokens: string[];
  merges: string[];
  texts: string[];
  ids: Record<string, number[][]>;
}
const { tokens, merges, texts, ids } = JSON.parse(
  readFileSync(new URL("../../fixtures/tokenizers/splits.json", import.meta.url), "utf8"),
) as Splits;

async function writeSplits(change: Metadata): Promise<string> {
  const file = path.join(await temporaryDirectory(), "splits.gguf");
  const metadata: Metadata = {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": { texts: tokens },
    "tokenizer.ggml.merges": { texts: merges },
    "tokenizer.ggml.bos_token_id": { u32: 0 },
    ...change,
  };
  await writeFile(file, ggufBytes(metadata, {}));
  return file;
}

describe("byte-level tables", () => {
  it.each(Object.keys(ids))("split texts as %s", async (pre) => {
    const change: Metadata = { "tokenizer.ggml.pre": pre, "tokenizer.ggml.add_bos_token": false };
    const tokenizer = await tokenizerOf(await writeSplits(change));
    texts.forEach((text, i) => {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids: ids[pre]![i] });
    });
  });

  it("split texts as llama.cpp does where the file does not say how, or as GPT-2", async () => {
    const unnamed = await tokenizerOf(await writeSplits({}));
    expect(texts.map((text) => unnamed.encode(text))).toEqual(ids.default);
    const gpt2 = await tokenizerOf(await writeSplits({ "general.architecture": "gpt2" }));
    expect(texts.map((text) => gpt2.encode(text))).toEqual(ids["gpt-2"]);
  });

  it("put BOS in front where they are LLaMA 3's", async () => {
    const tokenizer = await tokenizerOf(await writeSplits({ "tokenizer.ggml.pre": "llama-bpe" }));
    expect(tokenizer.encode("a")).toEqual([0, tokens.indexOf("a")]);
  });

  it("give what the directory's tokenizer.json gives", async () => {
    const expected = await Tokenizer.load(officialPath("tiny-gpt2", "model"));
    const tokenizer = await tokenizerOf(await writeTinyGguf("tiny-gpt2", await temporaryDirectory()));
    for (const text of texts) expect(tokenizer.encode(text)).toEqual(expected.encode(text));
  });

  it("hold tokens of every name", async () => {
    const change = {
      "tokenizer.ggml.tokens": { texts: ["a", "__proto__", "constructor", "b", "<end>"] },
      "tokenizer.ggml.token_type": { i32s: [1, 4, 4, 1, 3] },
      "tokenizer.ggml.merges": { texts: [] },
      "tokenizer.ggml.bos_token_id": { u32: 4 },
      "tokenizer.ggml.eos_token_id": { u32: 4 },
    };
    const tokenizer = await tokenizerOf(await writeTinyGguf("tiny-gpt2", await temporaryDirectory(), { change }));
    expect(tokenizer.encode("a__proto__bconstructor<end>")).toEqual([0, 1, 3, 2, 4]);
    expect(tokenizer.endOfTextId).toBe(4);
  });
});
