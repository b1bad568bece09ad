import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { configFromGguf } from "../../../src/model/gguf/config.js";
import { GgufHeader } from "../../../src/model/gguf/header.js";
import type { LanguageModel } from "../../../src/model/language-model.js";
import { findModel, loadModel } from "../../../src/model/load.js";
import { addon, call } from "../../../src/native/index.js";
import { expectRejection } from "../../support/errors.js";
import { ggufBytes, type Metadata, throughQ8, writeTinyGguf } from "../../support/gguf.js";
import { tinyModel } from "../../support/model.js";
import { FAMILIES, officialPath } from "../../support/official.js";
import { readSafetensors, safetensorsBytes, type Tensor } from "../../support/safetensors.js";
import { temporaryDirectory } from "../../support/temporary.js";

const PROMPTS = ["The capital of France is", "a", "In 1969, the\n\nmother tongue of Danielle <|endoftext|> is é日"];

async function load(source: string): Promise<LanguageModel> {
  const model = await loadModel(source);
  onTestFinished(() => model.dispose());
  return model;
}

// No program makes GGUF files of GPT-J.
describe.each(FAMILIES.filter((family) => family !== "tiny-gptj"))("%s as a GGUF file", (family) => {
  it("is the model of the directory: description, tokens, and logits to the bit", async () => {
    const [directory, file] = [await tinyModel(family), await writeTinyGguf(family, await temporaryDirectory())];
    const model = await load(file);
    expect(model.name).toBe(`${family}.gguf`);
    expect(model.directory).toBe(path.dirname(file));
    expect(model.config).toEqual(directory.config);
    for (const prompt of PROMPTS) expect(await model.logits(prompt)).toEqual(await directory.logits(prompt));
    const { bosId, endOfTextId, addsBos } = directory.tokenizer;
    expect(model.tokenizer).toMatchObject({ bosId, endOfTextId, addsBos });
  });

  it("quantised, is the model of its dequantised weights, to the bit", async () => {
    const directory = await temporaryDirectory();
    const { tensors } = readSafetensors(officialPath(family, "model/model.safetensors"));
    for (const [name, tensor] of Object.entries(tensors)) {
      if (tensor.shape.length === 2) tensors[name] = dequantised(name, tensor);
    }
    await writeFile(path.join(directory, "model.safetensors"), safetensorsBytes(tensors));
    for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
      await copyFile(officialPath(family, "model", name), path.join(directory, name));
    }
    const expected = await load(directory);
    const model = await load(await writeTinyGguf(family, await temporaryDirectory(), { storage: "Q8_0" }));
    for (const prompt of PROMPTS) expect(await model.logits(prompt)).toEqual(await expected.logits(prompt));
    const original = await (await tinyModel(family)).logits(PROMPTS[0]!);
    expect((await model.logits(PROMPTS[0]!)).logits).not.toEqual(original.logits);
  });

  it.each(["F32", "Q8_0"] as const)("of %s is saved, edited, as a directory of the same model", async (storage) => {
    const model = await load(await writeTinyGguf(family, await temporaryDirectory(), { storage }));
    const directory = path.join(await temporaryDirectory(), "edited");
    await expectRejection(model.save(directory), "ERR_UNSUPPORTED", "edit the model");
    const [rows, cols] = [model.config.width, model.config.feedForwardWidth];
    const drift = addon().createMatrix(new Float64Array(rows * cols).fill(0.01), rows, cols);
    await call(() => model.native.setDrift(3, drift));
    await model.save(directory);

    const names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    expect((await readdir(directory)).sort()).toEqual(names);
    const saved = await load(directory);
    expect(saved.config).toEqual(model.config);
    for (const prompt of PROMPTS) expect(await saved.logits(prompt)).toEqual(await model.logits(prompt));
    // Under the family's own names and shapes.
    const original = readSafetensors(officialPath(family, "model/model.safetensors"));
    const written = readSafetensors(path.join(directory, "model.safetensors"));
    const shapes = (tensors: typeof written.tensors) =>
      Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
    expect(shapes(written.tensors)).toEqual(shapes(original.tensors));
    expect(written.metadata).toEqual({ format: "pt" });
    if (storage === "F32") {
      const { tensors } = original;
      const unchanged = Object.keys(tensors).filter((name) => !name.includes(".3."));
      for (const name of unchanged) expect(written.tensors[name]).toEqual(tensors[name]);
      expect(unchanged.length).toBeGreaterThan(20);
    }
  });

  it("is known by its content", async () => {
    const directory = await temporaryDirectory();
    const first = await (await load(await writeTinyGguf(family, directory))).contentHash();
    expect(await (await load(await writeTinyGguf(family, directory))).contentHash()).toBe(first);
    const other = await writeTinyGguf(family, directory, { change: { "general.name": "another" } });
    expect(await (await load(other)).contentHash()).not.toBe(first);
  });
});

/** GPT-2's linear maps lie transposed in a GGUF file, so that other numbers share a block. */
function dequantised(name: string, tensor: { shape: number[]; values: Float64Array }) {
  const { shape, values } = tensor;
  const [rows, cols] = shape as [number, number];
  if (!/\.(c_attn|c_proj|c_fc)\.weight$/.test(name)) return { shape, values: throughQ8(values) };
  const turned = throughQ8(values.map((_, i) => values[(i % rows) * cols + Math.floor(i / rows)]!));
  return { shape, values: turned.map((_, i) => turned[(i % cols) * rows + Math.floor(i / cols)]!) };
}

describe("a GGUF file that is not as it should be", () => {
  it.each<[string, Metadata, string, string[]]>([
    ["of another architecture", { "general.architecture": "rwkv6" }, "ERR_UNKNOWN_ARCHITECTURE", ["rwkv6", "llama"]],
    ["of another tokenizer", { "tokenizer.ggml.model": "rwkv" }, "ERR_TOKENIZER", ["rwkv", "gpt2"]],
    ["split in another way", { "tokenizer.ggml.pre": "tekken" }, "ERR_TOKENIZER", ["tekken", "smollm"]],
    ["with tokens of another kind", { "tokenizer.ggml.tokens": { i32s: [1] } }, "ERR_MODEL_FORMAT", ["tokens"]],
    ["with a broken merge", { "tokenizer.ggml.merges": { texts: ["ab"] } }, "ERR_TOKENIZER", ['"ab"']],
    ["with a BOS beyond its tokens", { "tokenizer.ggml.bos_token_id": { u32: 1000 } }, "ERR_TOKENIZER", ["1000"]],
    ["with a size that is a text", { "llama.block_count": "6" }, "ERR_MODEL_FORMAT", ["llama.block_count"]],
    ["with more layers than it has", { "llama.block_count": { u32: 7 } }, "ERR_MODEL_FORMAT", ["layers.6"]],
    ["with heads that do not fit", { "llama.attention.head_count_kv": { u32: 3 } }, "ERR_MODEL_FORMAT", ["3"]],
    ["with experts", { "llama.expert_count": { u32: 8 } }, "ERR_UNSUPPORTED", ["experts"]],
    ["in several parts", { "split.count": { u32: 3 } }, "ERR_UNSUPPORTED", ["3 parts", "llama-gguf-split"]],
    ["rotated in part", { "llama.rope.dimension_count": { u32: 8 } }, "ERR_UNSUPPORTED", ["rope.dimension_count"]],
  ])("%s is refused", async (_, change, code, parts) => {
    const file = await writeTinyGguf("tiny-llama", await temporaryDirectory(), { change });
    await expectRejection(loadModel(file), code as "ERR_TOKENIZER", file, ...parts);
  });

  it("lacks a size, and that is named", async () => {
    const file = path.join(await temporaryDirectory(), "x.gguf");
    const tensors = { "token_embd.weight": { shape: [2, 2], values: new Float64Array(4) } };
    await writeFile(file, ggufBytes({ "general.architecture": "llama" }, tensors));
    await expectRejection(findModel(file), "ERR_MODEL_FORMAT", file, "llama.attention.head_count");
    await writeFile(file, ggufBytes({}, tensors));
    await expectRejection(findModel(file), "ERR_MODEL_FORMAT", file, "general.architecture");
    await writeFile(file, "text");
    await expectRejection(findModel(file), "ERR_MODEL_FORMAT", file, "GGUF");
    await writeFile(file, (await readFile(await writeTinyGguf("tiny-llama", path.dirname(file)))).subarray(0, 60_000));
    await expectRejection(findModel(file), "ERR_MODEL_FORMAT", file, "the file has");
  });
});

function doubledEmbedding(): Tensor {
  const { tensors } = readSafetensors(officialPath("tiny-llama", "model/model.safetensors"));
  const { shape, values } = tensors["model.embed_tokens.weight"]!;
  return { shape, values: values.map((value) => 2 * value) };
}

it("a GGUF file with a head of its own is not tied", async () => {
  const model = await load(
    await writeTinyGguf("tiny-llama", await temporaryDirectory(), { tensors: { "output.weight": doubledEmbedding() } }),
  );
  expect(model.config.tiedHead).toBe(false);
  const { logits } = await (await tinyModel("tiny-llama")).logits(PROMPTS[0]!);
  expect((await model.logits(PROMPTS[0]!)).logits).toEqual(logits.map((logit) => 2 * logit));
});

describe("rotary angles of a GGUF file", () => {
  // As llama.cpp's converter makes the tensor (convert_hf_to_gguf.py, LlamaModel.generate_extra_tensors).
  function llama3Factors(factor: number, highFrequencyFactor = 4): Float64Array {
    return Float64Array.from({ length: 8 }, (_, i) => {
      const wavelength = 2 * Math.PI * 10_000 ** (i / 8);
      if (wavelength < 8192 / highFrequencyFactor) return 1;
      if (wavelength > 8192) return factor;
      const smooth = (8192 / wavelength - 1) / (highFrequencyFactor - 1);
      return 1 / ((1 - smooth) / factor + smooth);
    });
  }

  it("are scaled as LLaMA 3 scales them", async () => {
    const tensors = { "rope_freqs.weight": { shape: [8], values: llama3Factors(32) } };
    const file = await writeTinyGguf("tiny-llama", await temporaryDirectory(), { tensors });
    expect(await configFromGguf(await GgufHeader.read(file))).toMatchObject({
      rope_scaling: {
        rope_type: "llama3",
        factor: 32,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    });
  });

  it("are refused when they are scaled in another way", async () => {
    for (const values of [llama3Factors(32, 8), llama3Factors(8).subarray(0, 7), new Float64Array(8)]) {
      const tensors = { "rope_freqs.weight": { shape: [values.length], values } };
      const file = await writeTinyGguf("tiny-llama", await temporaryDirectory(), { tensors });
      await expectRejection(findModel(file), "ERR_UNSUPPORTED", file, "rope_freqs.weight");
    }
  });

  it("are scaled as the metadata says", async () => {
    const change = { "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": { f32: 2 } };
    const file = await writeTinyGguf("tiny-llama", await temporaryDirectory(), { change });
    const config = await configFromGguf(await GgufHeader.read(file));
    expect(config).toMatchObject({ rope_scaling: { rope_type: "linear", factor: 2 } });
  });
});

it.each([
  ["qwen2", "Qwen2ForCausalLM"],
  ["qwen3", "Qwen3ForCausalLM"],
])("the configuration of a %s is transformers'", async (architecture, className) => {
  const key = (name: string) => `${architecture}.${name}`;
  const metadata: Metadata = {
    "general.architecture": architecture,
    [key("block_count")]: { u32: 28 },
    [key("context_length")]: { u32: 40_960 },
    [key("embedding_length")]: { u32: 1024 },
    [key("feed_forward_length")]: { u32: 3072 },
    [key("attention.head_count")]: { u32: 16 },
    [key("attention.head_count_kv")]: { u32: 8 },
    [key("attention.key_length")]: { u32: 128 },
    [key("attention.value_length")]: { u32: 128 },
    [key("attention.layer_norm_rms_epsilon")]: { f32: 1e-6 },
    [key("rope.freq_base")]: { f32: 1e6 },
  };
  const tensors = { "token_embd.weight": { shape: [5, 2], values: new Float64Array(10) } };
  const file = path.join(await temporaryDirectory(), "x.gguf");
  await writeFile(file, ggufBytes(metadata, tensors));
  expect(await configFromGguf(await GgufHeader.read(file))).toEqual({
    architectures: [className],
    model_type: architecture,
    hidden_size: 1024,
    intermediate_size: 3072,
    num_hidden_layers: 28,
    num_attention_heads: 16,
    num_key_value_heads: 8,
    head_dim: 128, // which is not 1024 / 16
    max_position_embeddings: 40_960,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    rope_scaling: null,
    hidden_act: "silu",
    vocab_size: 5,
    tie_word_embeddings: true,
    bos_token_id: null,
    eos_token_id: null,
    dtype: "float32",
  });
});
