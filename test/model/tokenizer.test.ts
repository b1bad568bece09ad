import { cp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../src/model/tokenizer.js";
import { expectRejection } from "../support/errors.js";
import { FAMILIES, type Family, officialJson, officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";

describe.each(FAMILIES)("the tokenizer of %s", (family) => {
  // forward.json and compute_z.json were written by transformers.
  it("gives the token ids of the reference's prompts", async () => {
    const tokenizer = await Tokenizer.load(officialPath(family, "model"));
    const prompts = officialJson<{ text: string; token_ids: number[] }[]>(family, "expected/forward.json");
    for (const { text, token_ids } of prompts) expect(tokenizer.encode(text)).toEqual(token_ids);
    type Values = { target_ids: number[]; case_id: number; prompts: string[]; token_ids: number[][] };
    const facts = officialJson<{ case_id: number; target_new: string }[]>(family, "requests.json");
    for (const value of officialJson<Values[]>(family, "expected/compute_z.json")) {
      expect(value.prompts.map((prompt) => tokenizer.encode(prompt))).toEqual(value.token_ids);
      const fact = facts.find(({ case_id }) => case_id === value.case_id)!;
      expect(tokenizer.encodeTarget(` ${fact.target_new}`)).toEqual(value.target_ids);
    }
    expect(prompts).toHaveLength(12);
  });

  it("agrees with Hugging Face's own on awkward texts", async () => {
    const tokenizer = await Tokenizer.load(officialPath(family, "model"));
    const { texts, ids } = await awkwardTexts();
    texts.forEach((text, i) => {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids: ids[family][i] });
    });
    expect(texts.length).toBeGreaterThan(200);
  });

  it("decodes to the text it encoded, BOS in front", async () => {
    const tokenizer = await Tokenizer.load(officialPath(family, "model"));
    const front = tokenizer.addsBos ? tokenizer.bosText! : "";
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(front + text);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

async function awkwardTexts(): Promise<{ texts: string[]; ids: Record<Family, number[][]> }> {
  const file = fileURLToPath(new URL("../fixtures/tokenizers/awkward.json", import.meta.url));
  return JSON.parse(await readFile(file, "utf8"));
}

it("spaces before punctuation survive, also where tokenizer_config.json asks for their removal", async () => {
  const directory = await copyOfTokenizer();
  await writeFile(path.join(directory, "tokenizer_config.json"), '{"clean_up_tokenization_spaces": true}');
  const tokenizer = await Tokenizer.load(directory);
  expect(tokenizer.decode(tokenizer.encode("who , I ? do n't"))).toBe("who , I ? do n't");
});

describe("special tokens", () => {
  it("are known by id, and whether they are added", async () => {
    const gpt2 = await Tokenizer.load(officialPath("tiny-gpt2", "model"));
    expect(gpt2).toMatchObject({ bosId: 998, endOfTextId: 998, addsBos: false, bosText: "<|endoftext|>" });
    const llama = await Tokenizer.load(officialPath("tiny-llama", "model"));
    expect(llama).toMatchObject({ bosId: 999, endOfTextId: 998, addsBos: true, bosText: "<|begin_of_text|>" });
  });

  it("lose one leading BOS in a target and no more", async () => {
    const llama = await Tokenizer.load(officialPath("tiny-llama", "model"));
    expect(llama.encodeTarget(" Rome")).toEqual(llama.encode(" Rome").slice(1));
    expect(llama.encodeTarget("<|begin_of_text|> Rome")[0]).toBe(999);
  });
});

describe("a tokenizer that cannot be loaded", () => {
  it.each(["tokenizer.json", "tokenizer_config.json"])("is named when %s is missing", async (name) => {
    const directory = await copyOfTokenizer();
    await rm(path.join(directory, name));
    await expectRejection(Tokenizer.load(directory), "ERR_TOKENIZER", name, directory);
  });

  it.each([
    ["not JSON", "tokenizer.json", "{"],
    ["no tokenizer", "tokenizer.json", '{"model": {"type": "Telepathy"}}'],
    ["given a number as BOS", "tokenizer_config.json", '{"bos_token": 7}'],
  ])("is named: %s", async (_, name, content) => {
    const directory = await copyOfTokenizer();
    await writeFile(path.join(directory, name), content);
    await expectRejection(Tokenizer.load(directory), "ERR_TOKENIZER", name);
  });

  it("reads special tokens that are written as objects", async () => {
    const directory = await copyOfTokenizer();
    const config = { bos_token: { content: "<|endoftext|>", lstrip: false }, eos_token: null };
    await writeFile(path.join(directory, "tokenizer_config.json"), JSON.stringify(config));
    const tokenizer = await Tokenizer.load(directory);
    expect(tokenizer.bosId).toBe(998);
    expect(tokenizer.endOfTextId).toBeUndefined();
  });
});

async function copyOfTokenizer(): Promise<string> {
  const directory = await temporaryDirectory();
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    await cp(officialPath("tiny-gpt2", "model", name), path.join(directory, name));
  }
  return directory;
}
