import { createHash } from "node:crypto";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { loadModel } from "../../src/model/load.js";
import { addon, call } from "../../src/native/index.js";
import { expectRejection } from "../support/errors.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, type Family, officialJson, officialPath } from "../support/official.js";
import { readSafetensors } from "../support/safetensors.js";
import { temporaryDirectory } from "../support/temporary.js";

interface ForwardPrompt {
  index: number;
  text: string;
  token_ids: number[];
}

/** The reference's logits [tokens, vocabulary] of every prompt. */
function referenceLogits(family: Family): (index: number) => Float64Array {
  const { tensors } = readSafetensors(officialPath(family, "expected/forward.safetensors"));
  return (index) => tensors[`logits.${index}`]!.values;
}

describe.each(FAMILIES)("a %s", (family) => {
  it("computes the reference's logits", async () => {
    const model = await tinyModel(family);
    const reference = referenceLogits(family);
    for (const { index, text, token_ids } of officialJson<ForwardPrompt[]>(family, "expected/forward.json")) {
      const { tokens, logits } = await model.logits(text);
      expect(tokens).toEqual(token_ids);
      const expected = reference(index);
      expect(logits).toHaveLength(expected.length);
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - logits[i]!)), 0);
      expect(worst).toBeLessThan(1e-4);
    }
  });

  it("names the most probable next tokens", async () => {
    const model = await tinyModel(family);
    const [{ text, token_ids }] = officialJson<ForwardPrompt[]>(family, "expected/forward.json") as [ForwardPrompt];
    const logits = referenceLogits(family)(0).subarray((token_ids.length - 1) * 1000);
    const best = logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
    const found = await model.nextTokens(text, { top: 3 });
    expect(found).toHaveLength(3);
    expect(found[0]).toMatchObject({ token: best, text: model.tokenizer.decode([best]) });
    const all = await model.nextTokens(text, { top: 1000 });
    expect(all.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 9);
  });

  it("is never saved as edited before it is, and is saved edited", async () => {
    const model = await tinyModel(family);
    const directory = path.join(await temporaryDirectory(), "edited");
    await expectRejection(model.save(directory), "ERR_UNSUPPORTED", model.name);

    const [rows, cols] = [model.config.width, model.config.feedForwardWidth];
    const drift = addon().createMatrix(new Float64Array(rows * cols).fill(0.01), rows, cols);
    await call(() => model.native.setDrift(3, drift));
    await model.save(directory);
    const saved = await loadModel(directory);
    const prompt = "The capital of France is";
    expect((await saved.logits(prompt)).logits).toEqual((await model.logits(prompt)).logits);
    expect(await saved.contentHash()).not.toBe(await model.contentHash());
    saved.dispose();
  });
});

describe("a LanguageModel", () => {
  it("is known by name and content", async () => {
    const model = await tinyModel("tiny-llama");
    expect(model.name).toBe("model");
    const hash = createHash("sha256");
    for (const name of ["config.json", "model.safetensors"]) {
      const content = await readFile(officialPath("tiny-llama", "model", name));
      hash.update(`${name}\0${content.length}\0`).update(content);
    }
    expect(await model.contentHash()).toBe(hash.digest("hex"));
  });

  it("refuses prompts that are empty or too long", async () => {
    const model = await tinyModel("tiny-gpt2");
    await expectRejection(model.logits(""), "ERR_INVALID_ARGUMENT", "empty");
    await expectRejection(model.nextTokens("word ".repeat(400)), "ERR_TOO_LONG", "256 positions");
  });

  it("stops when its signal has fired", async () => {
    const model = await tinyModel("tiny-gpt2");
    await expectRejection(model.logits("a", { signal: AbortSignal.abort() }), "ERR_ABORTED");
  });
});

describe("loadModel", () => {
  it.each([
    ["nowhere", "ERR_FILE", "builtin:atlas"],
    ["model.gguf", "ERR_UNSUPPORTED", "builtin:atlas"],
    ["package.json", "ERR_UNSUPPORTED", "single files"],
    ["builtin:nothing", "ERR_INVALID_ARGUMENT", "builtin:atlas"],
  ] as const)("answers %s with %s", async (source, code, part) => {
    await expectRejection(loadModel(source), code, part);
  });

  it.each([
    ["config.json", "ERR_FILE"],
    ["model.safetensors", "ERR_FILE"],
    ["tokenizer.json", "ERR_TOKENIZER"],
    ["tokenizer_config.json", "ERR_TOKENIZER"],
  ] as const)("says so when %s is missing", async (missing, code) => {
    const directory = await copyWithout(missing);
    await expectRejection(loadModel(directory), code, missing);
  });

  it("says so when the weights are not those of the config", async () => {
    const directory = await copyWithout("config.json");
    const config = officialJson<object>("tiny-gpt2", "model/config.json");
    await writeFile(path.join(directory, "config.json"), JSON.stringify({ ...config, n_inner: 128 }));
    await expectRejection(loadModel(directory), "ERR_MODEL_FORMAT");
  });
});

async function copyWithout(missing: string): Promise<string> {
  const directory = await temporaryDirectory();
  for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
    if (name !== missing) await copyFile(officialPath("tiny-gpt2", "model", name), path.join(directory, name));
  }
  return directory;
}
