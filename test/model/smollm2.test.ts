import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { drawTokens } from "../../src/model/generation.js";
import { loadModel } from "../../src/model/load.js";
import { namedModelPath } from "../../src/model/named-models.js";

const NAME = "smollm2-135m";
const available = existsSync(namedModelPath(NAME));
if (!available) {
  console.warn(`Tests of ${NAME} are left out: get it with "node dist/cli/main.js models get ${NAME}".`);
}

// tokens.json and logits.json were written by transformers, from the same file (make.py beside them).
function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/smollm2/${name}`, import.meta.url), "utf8")) as T;
}

describe.runIf(available)(NAME, () => {
  it("is loaded within three seconds", async () => {
    const begun = performance.now();
    using model = await loadModel(NAME);
    expect((performance.now() - begun) / 1000).toBeLessThan(3);
    expect(model.name).toBe(NAME);
    expect(model.tokenizer).toMatchObject({ addsBos: false, endOfTextId: 2 });
  });

  it("has transformers' tokens", async () => {
    using model = await loadModel(NAME);
    const { texts, ids } = golden<{ texts: string[]; ids: number[][] }>("tokens.json");
    texts.forEach((text, i) => {
      expect({ text, ids: model.tokenizer.encode(text) }).toEqual({ text, ids: ids[i] });
    });
    expect(texts.length).toBeGreaterThan(250);
  });

  it("has PyTorch's logits and greedy continuations", async () => {
    using model = await loadModel(NAME);
    const { prompts, continuations } = golden<{
      prompts: { text: string; tokens: number[]; logits: number[] }[];
      continuations: { text: string; ids: number[] }[];
    }>("logits.json");
    for (const { text, tokens, logits } of prompts) {
      const actual = (await model.logits(text)).logits.slice(-model.config.vocabulary);
      const worst = Math.max(...tokens.map((token, i) => Math.abs(actual[token]! - logits[i]!)));
      expect(worst).toBeLessThan(2e-4);
    }
    const encoded = continuations.map(({ text }) => model.tokenizer.encode(text));
    const maxLength = 20 + Math.max(...encoded.map(({ length }) => length));
    const options = { maxLength, topK: 1, seed: 1 };
    const extended = encoded.map((prompt) => [...prompt]);
    for await (const drawn of drawTokens(model.native, encoded, options)) {
      for (const { sequence, token } of drawn) extended[sequence]!.push(token);
    }
    continuations.forEach(({ text, ids }, i) => {
      const begin = encoded[i]!.length;
      expect({ text, ids: extended[i]!.slice(begin, begin + ids.length) }).toEqual({ text, ids });
    });
    expect(continuations).toHaveLength(20);
  });
});
