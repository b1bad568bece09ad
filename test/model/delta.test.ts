import { cp, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/model/language-model.js";
import { loadModel } from "../../src/model/load.js";
import type { NativeMatrix } from "../../src/native/addon.js";
import { addon, call } from "../../src/native/index.js";
import { expectRejection } from "../support/errors.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, officialJson, officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";

const LAYERS = [2, 4];

/** Changes two layers by drifts of rank one, which it returns. */
async function edit(model: LanguageModel): Promise<Map<number, NativeMatrix>> {
  const [rows, cols] = [model.config.width, model.config.feedForwardWidth];
  const drifts = new Map<number, NativeMatrix>();
  for (const layer of LAYERS) {
    const values = Float64Array.from(
      { length: rows * cols },
      (_, i) => 0.002 * Math.sin(layer + Math.floor(i / cols)) * Math.cos(i % cols),
    );
    const drift = addon().createMatrix(values, rows, cols);
    await call(() => model.native.setDrift(layer, drift));
    drifts.set(layer, drift);
  }
  return drifts;
}

async function weights(model: LanguageModel): Promise<Float32Array[]> {
  const all: Float32Array[] = [];
  for (let layer = 0; layer < model.config.layers; layer++) {
    const weight = await call(() => model.native.weight(layer));
    all.push(await weight.toFloat32Array());
    weight.dispose();
  }
  return all;
}

describe.each(FAMILIES)("a delta of a %s", (family) => {
  const source = officialPath(family, "model");

  it.each(["with drifts", "without"])(
    "makes the edited model of the original, and back, to the bit (%s)",
    async (how) => {
      const directory = await temporaryDirectory();
      const [file, saved] = [path.join(directory, "delta.safetensors"), path.join(directory, "edited")];
      const model = await tinyModel(family);
      const original = await weights(model);
      const drifts = await edit(model);
      await model.saveDelta(file, how === "without" ? {} : { drifts });
      const edited = await weights(model);
      expect(edited).not.toEqual(original);

      using applied = await loadModel(source, { applyDelta: [file] });
      expect(await weights(applied)).toEqual(edited);
      expect((await applied.logits("I")).logits).toEqual((await model.logits("I")).logits);
      expect(await applied.contentHash()).not.toBe(await model.contentHash());

      await model.save(saved, { dtype: "f32" });
      using removed = await loadModel(saved, { removeDelta: [file] });
      expect(await weights(removed)).toEqual(original);

      const dense = LAYERS.length * 4 * model.config.width * model.config.feedForwardWidth;
      const { size } = await stat(file);
      if (how === "without") expect(size).toBeGreaterThan(dense);
      else expect(size).toBeLessThan(dense / 2);
    },
  );

  it("is what later edits start from, and is saved", async () => {
    const directory = await temporaryDirectory();
    const file = path.join(directory, "delta.safetensors");
    const model = await tinyModel(family);
    const drifts = await edit(model);
    await model.saveDelta(file, { drifts });

    using applied = await loadModel(source, { applyDelta: [file] });
    expect(await applied.native.weightChange(2)).toMatchObject({ changed: 0 });
    await call(() => applied.native.setDrift(2, drifts.get(2)!));
    const second = path.join(directory, "second.safetensors");
    await applied.saveDelta(second);
    using both = await loadModel(source, { applyDelta: [file, second] });
    expect(await weights(both)).toEqual(await weights(applied));

    await both.save(path.join(directory, "both"));
    using saved = await loadModel(path.join(directory, "both"));
    expect(await weights(saved)).toEqual(await weights(applied));
  });
});

describe("a delta is refused", () => {
  async function written(): Promise<{ directory: string; file: string; edited: string; model: LanguageModel }> {
    const directory = await temporaryDirectory();
    const [file, edited] = [path.join(directory, "delta.safetensors"), path.join(directory, "edited")];
    const model = await tinyModel("tiny-llama");
    await model.saveDelta(file, { drifts: await edit(model) });
    await model.save(edited);
    return { directory, file, edited, model };
  }
  const source = officialPath("tiny-llama", "model");

  it("by a model that has it, and by one that has it not", async () => {
    const { file, edited } = await written();
    await expectRejection(loadModel(edited, { applyDelta: [file] }), "ERR_DELTA", "in this model already");
    await expectRejection(loadModel(source, { applyDelta: [file, file] }), "ERR_DELTA", "already");
    await expectRejection(loadModel(source, { removeDelta: [file] }), "ERR_DELTA", "not in this model");
  });

  it("by another model", async () => {
    const { directory, file, model } = await written();
    const other = path.join(directory, "other");
    const [rows, cols] = [model.config.width, model.config.feedForwardWidth];
    const drift = addon().createMatrix(new Float64Array(rows * cols).fill(0.1), rows, cols);
    await call(() => model.native.setDrift(4, drift));
    await model.save(other);
    await expectRejection(loadModel(other, { applyDelta: [file] }), "ERR_DELTA", "does not fit");
    await expectRejection(loadModel(other, { removeDelta: [file] }), "ERR_DELTA", "layer 4", "--dtype f32");
    await expectRejection(
      loadModel(officialPath("tiny-gpt2", "model"), { applyDelta: [file] }),
      "ERR_DELTA",
      "not fit",
    );

    await expectRejection(loadModel("builtin:atlas", { applyDelta: [file] }), "ERR_DELTA", "layer 2");

    const sameWeights = path.join(directory, "same-weights");
    await cp(source, sameWeights, { recursive: true });
    const config = officialJson<object>("tiny-llama", "model/config.json");
    await writeFile(path.join(sameWeights, "config.json"), JSON.stringify({ ...config, rope_theta: 5000 }));
    await expectRejection(loadModel(sameWeights, { applyDelta: [file] }), "ERR_DELTA", "config.json");
  });

  it("when it is damaged, or no delta", async () => {
    const { directory, file } = await written();
    const content = await readFile(file);
    const flipped = Buffer.from(content);
    flipped[8 + Number(content.readBigUInt64LE()) + 6]! ^= 0x10; // in the first tensor, layer 2's left factor
    const broken = path.join(directory, "broken.safetensors");
    await writeFile(broken, flipped);
    await expectRejection(loadModel(source, { applyDelta: [broken] }), "ERR_MODEL_FORMAT", broken, "damaged");
    await writeFile(broken, content.subarray(0, content.length - 4));
    await expectRejection(loadModel(source, { applyDelta: [broken] }), "ERR_MODEL_FORMAT", broken);
    const weightsFile = path.join(source, "model.safetensors");
    await expectRejection(loadModel(source, { applyDelta: [weightsFile] }), "ERR_MODEL_FORMAT", "not a delta");
    await expectRejection(loadModel(source, { applyDelta: ["nowhere"] }), "ERR_FILE", "nowhere");
  });

  it("when its factors, places or layers are not those of the model", async () => {
    const { directory, file } = await written();
    const content = await readFile(file);
    const begin = 8 + Number(content.readBigUInt64LE());
    const header = JSON.parse(content.subarray(8, begin).toString()) as Record<string, { shape: number[] }>;
    const broken = path.join(directory, "broken.safetensors");
    const refused = async (change: (header: Record<string, { shape: number[] }>) => void, part: string) => {
      const changed = structuredClone(header);
      change(changed);
      const json = Buffer.from(JSON.stringify(changed));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(json.length));
      await writeFile(broken, Buffer.concat([length, json, content.subarray(begin)]));
      await expectRejection(loadModel(source, { applyDelta: [broken] }), "ERR_MODEL_FORMAT", part);
    };
    await refused((h) => h["layer.2.left"]!.shape.reverse(), '"layer.2.left"');
    await refused((h) => {
      h["layer.9.left"] = h["layer.2.left"]!;
      delete h["layer.2.left"];
    }, "layer 9");
    await refused((h) => {
      h.other = h["layer.2.left"]!;
      delete h["layer.2.left"];
    }, '"other"');
    await refused((h) => {
      delete h["layer.2.remove.bits"];
    }, "5 tensors");
  });

  it("when nothing was edited", async () => {
    const model = await tinyModel("tiny-gpt2");
    const file = path.join(await temporaryDirectory(), "delta.safetensors");
    await expectRejection(model.saveDelta(file), "ERR_UNSUPPORTED", model.name);
  });
});
