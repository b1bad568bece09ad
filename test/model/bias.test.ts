// The bias of a down-projection, which fine-tuning changes beside the weight: set, saved, and written as a delta.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { LanguageModel } from "../../src/model/language-model.js";
import { loadModel } from "../../src/model/load.js";
import { addon, call } from "../../src/native/index.js";
import { tinyModel } from "../support/model.js";
import { officialPath } from "../support/official.js";

const LAYER = 3;

async function folder(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "lyaplock-bias-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function biasOf(model: LanguageModel): Promise<Float32Array> {
  const bias = await call(() => model.native.bias(LAYER));
  return call(() => bias!.toFloat32Array());
}

async function logitsOf(model: LanguageModel): Promise<Float32Array> {
  return (await model.logits("The language of Peru is")).logits;
}

/** A model whose weight and bias of one layer were changed, as a rounded type of fewer bits holds them too. */
async function edited(): Promise<LanguageModel> {
  const model = await tinyModel("tiny-gpt2");
  const { width, feedForwardWidth } = model.config;
  const original = await biasOf(model);
  const bias = addon().createMatrix(
    original.map((_, i) => (i % 7) / 8),
    1,
    width,
  );
  const values = new Float32Array(width * feedForwardWidth).map((_, i) => ((i % 13) - 6) / 64);
  await call(() => model.native.setWeight(LAYER, addon().createMatrix(values, width, feedForwardWidth)));
  await call(() => model.native.setBias(LAYER, bias));
  return model;
}

describe("a bias", () => {
  it("is what the model adds, from when it is set", async () => {
    const model = await tinyModel("tiny-gpt2");
    const before = await logitsOf(model);
    const original = await call(() => model.native.originalBias(LAYER));
    const { changed: none } = await call(() => model.native.weightChange(LAYER));
    const shifted = addon().createMatrix(
      (await biasOf(model)).map((b) => b + 1),
      1,
      model.config.width,
    );
    await call(() => model.native.setBias(LAYER, shifted));
    const after = await logitsOf(model);
    expect(after).not.toEqual(before);
    expect(none).toBe(0);
    const { changed, norm } = await call(() => model.native.weightChange(LAYER));
    expect(changed).toBe(model.config.width);
    expect(norm).toBeCloseTo(Math.sqrt(model.config.width), 4);
    await call(() => model.native.setBias(LAYER, original!));
    expect(await logitsOf(model)).toEqual(before);
  });

  it("is saved with the weight, and read again", async () => {
    const model = await edited();
    for (const dtype of ["as-is", "bf16"] as const) {
      const directory = path.join(await folder(), "model");
      const saved = await model.save(directory, { dtype });
      expect(saved.map(({ layer }) => layer)).toEqual([LAYER]);
      const again = await loadModel(directory);
      onTestFinished(() => again.dispose());
      expect(await biasOf(again)).toEqual(await biasOf(model));
      expect(await logitsOf(again)).toEqual(await logitsOf(model));
    }
  });

  it("is part of a delta, both ways", async () => {
    const model = await edited();
    const directory = await folder();
    const file = path.join(directory, "delta.safetensors");
    await model.saveDelta(file);
    const base = officialPath("tiny-gpt2", "model");
    const applied = await loadModel(base, { applyDelta: [file] });
    onTestFinished(() => applied.dispose());
    expect(await biasOf(applied)).toEqual(await biasOf(model));
    expect(await logitsOf(applied)).toEqual(await logitsOf(model));

    await applied.save(path.join(directory, "model"));
    const removed = await loadModel(path.join(directory, "model"), { removeDelta: [file] });
    onTestFinished(() => removed.dispose());
    const original = await tinyModel("tiny-gpt2");
    expect(await biasOf(removed)).toEqual(await biasOf(original));
    expect(await logitsOf(removed)).toEqual(await logitsOf(original));

    // The weight alone does not make it the edited model.
    await expect(loadModel(path.join(directory, "model"), { applyDelta: [file] })).rejects.toMatchObject({
      code: "ERR_DELTA",
    });
  });

  it("is refused where it does not fit", async () => {
    const model = await tinyModel("tiny-gpt2");
    const before = await biasOf(model);
    const set = (values: Float32Array) =>
      call(() => model.native.setBias(LAYER, addon().createMatrix(values, 1, values.length)));
    await expect(set(new Float32Array(3))).rejects.toMatchObject({ code: "ERR_SHAPE" });
    await expect(set(before.map(() => Number.NaN))).rejects.toMatchObject({ code: "ERR_NOT_FINITE" });
    expect(await biasOf(model)).toEqual(before);

    const llama = await tinyModel("tiny-llama");
    expect(await call(() => llama.native.bias(LAYER))).toBeNull();
    const bias = addon().createMatrix(new Float32Array(llama.config.width), 1, llama.config.width);
    await expect(call(() => llama.native.setBias(LAYER, bias))).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });
});
