import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/model/language-model.js";
import { loadModel } from "../../src/model/load.js";
import { addon, call } from "../../src/native/index.js";
import { bfloat16, bfloat16Checkpoint } from "../support/bfloat16.js";
import { expectRejection } from "../support/errors.js";
import { FAMILIES } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

async function readTensors(directory: string): Promise<Record<string, { dtype: string; data: Buffer }>> {
  const file = await readFile(path.join(directory, "model.safetensors"));
  const begin = 8 + Number(file.readBigUInt64LE());
  const { __metadata__: _, ...header } = JSON.parse(file.subarray(8, begin).toString()) as Header;
  return Object.fromEntries(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, data: file.subarray(begin + from, begin + to) }],
    ),
  );
}

async function edit(model: LanguageModel, size: number): Promise<void> {
  const [rows, cols] = [model.config.width, model.config.feedForwardWidth];
  const values = Float64Array.from({ length: rows * cols }, (_, i) => size * Math.sin(i));
  const drift = addon().createMatrix(values, rows, cols);
  await call(() => model.native.setDrift(3, drift));
  drift.dispose();
}

const dtypeOf = async (directory: string) =>
  JSON.parse(await readFile(path.join(directory, "config.json"), "utf8")).dtype as string;

describe.each(FAMILIES)("an edited %s in bfloat16", (family) => {
  const edited = {
    "tiny-gpt2": "transformer.h.3.mlp.c_proj.weight",
    "tiny-gptj": "transformer.h.3.mlp.fc_out.weight",
    "tiny-llama": "model.layers.3.mlp.down_proj.weight",
  }[family];

  it("is saved in its own type and layout, to nearest, and nothing else changes", async () => {
    const checkpoint = await bfloat16Checkpoint(family);
    using model = await loadModel(checkpoint);
    await edit(model, 0.01);
    const saved = path.join(await temporaryDirectory(), "saved");
    const [matrix, ...others] = await model.save(saved);
    expect(others).toEqual([]);
    expect(matrix).toMatchObject({ layer: 3, type: "BF16", was: "BF16" });

    const [before, after] = [await readTensors(checkpoint), await readTensors(saved)];
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    for (const [name, { dtype, data }] of Object.entries(after)) {
      expect(dtype).toBe("BF16");
      expect({ name, same: data.equals(before[name]!.data) }).toEqual({ name, same: name !== edited });
    }
    const { width: m, feedForwardWidth: d } = model.config;
    const weight = await call(() => model.native.weight(3));
    const values = await weight.toFloat32Array();
    weight.dispose();
    let rounding = 0;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < d; j++) {
        const value = values[i * d + j]!;
        const place = family === "tiny-gpt2" ? j * m + i : i * d + j;
        const half = after[edited]!.data.readUInt16LE(2 * place);
        if (half !== bfloat16(value)) expect.fail(`element ${i}, ${j} is not rounded to nearest`);
        const bits = new DataView(new ArrayBuffer(4));
        bits.setUint16(0, half);
        rounding += (bits.getFloat32(0) - value) ** 2;
      }
    }
    expect(matrix!.rounding).toBeCloseTo(Math.sqrt(rounding), 9);
    expect(rounding).toBeGreaterThan(0);
    expect(await dtypeOf(saved)).toBe("bfloat16");
  });

  it("is saved whole as f32, and the config lets no loader round it", async () => {
    const checkpoint = await bfloat16Checkpoint(family);
    using model = await loadModel(checkpoint);
    await edit(model, 0.01);
    const saved = path.join(await temporaryDirectory(), "saved");
    expect(await model.save(saved, { dtype: "f32" })).toEqual([{ layer: 3, type: "F32", was: "BF16", rounding: 0 }]);
    expect(await dtypeOf(saved)).toBe("float32");
    using again = await loadModel(saved);
    expect((await again.logits("I know")).logits).toEqual((await model.logits("I know")).logits);
    const after = await readTensors(saved);
    expect(Object.values(after).filter(({ dtype }) => dtype === "F32")).toHaveLength(1);
  });

  it("is saved as f16 only if that holds every element", async () => {
    const checkpoint = await bfloat16Checkpoint(family);
    using model = await loadModel(checkpoint);
    await edit(model, 0.01);
    const parent = await temporaryDirectory();
    const [matrix] = await model.save(path.join(parent, "small"), { dtype: "f16" });
    expect(matrix!.type).toBe("F16");
    expect(await dtypeOf(path.join(parent, "small"))).toBe("float32");
    await edit(model, 1e5);
    await expectRejection(model.save(path.join(parent, "large"), { dtype: "f16" }), "ERR_NOT_FINITE", "layer 3", "f32");
    expect(await readdir(parent)).toEqual(["small"]);
  });
});
