import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LyaplockError } from "../../src/errors.js";
import { parseModelConfig, readModelConfig } from "../../src/model/config.js";
import { expectRejection, expectThrow } from "../support/errors.js";
import { temporaryFile } from "../support/json-files.js";
import { type Family, officialJson, officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";

/** The fixture's config.json with some entries changed; those set to undefined are left out. */
function changed(family: Family, changes: Record<string, unknown>): unknown {
  return JSON.parse(JSON.stringify({ ...officialJson<object>(family, "model/config.json"), ...changes }));
}

describe("readModelConfig", () => {
  it("reads a LLaMA config", async () => {
    expect(await readModelConfig(officialPath("tiny-llama", "model/config.json"))).toEqual({
      family: "llama",
      layers: 6,
      width: 64,
      heads: 4,
      keyValueHeads: 2,
      headWidth: 16,
      feedForwardWidth: 160,
      vocabulary: 1000,
      positions: 256,
      normEpsilon: 1e-5,
      tiedHead: true,
      rotary: { width: 16, base: 10_000, scaling: "none" },
      activation: "silu",
      attentionBias: false,
      attentionOutputBias: false,
      feedForwardBias: false,
      headBias: false,
      headNorms: false,
    });
  });

  it("reads a GPT-2 config", async () => {
    expect(await readModelConfig(officialPath("tiny-gpt2", "model/config.json"))).toMatchObject({
      family: "gpt2",
      layers: 6,
      width: 64,
      heads: 4,
      keyValueHeads: 4,
      headWidth: 16,
      feedForwardWidth: 256,
      positions: 256,
      normEpsilon: 1e-5,
      tiedHead: true,
      activation: "gelu_tanh",
    });
  });

  it("names a file that is missing or no JSON", async () => {
    const directory = await temporaryDirectory();
    await expectRejection(readModelConfig(path.join(directory, "config.json")), "ERR_FILE", directory, "no such file");
    const broken = await temporaryFile("config.json", "{ model_type");
    await expectRejection(readModelConfig(broken), "ERR_MODEL_FORMAT", broken, "not JSON");
  });
});

describe("a LLaMA config", () => {
  it("gives the rotary base as transformers 4 and 5 write it", () => {
    const base = (changes: Record<string, unknown>) =>
      parseModelConfig(changed("tiny-llama", { rope_theta: undefined, rope_parameters: undefined, ...changes }), "c")
        .rotary.base;
    expect(base({ rope_theta: 500_000 })).toBe(500_000);
    expect(base({ rope_parameters: { rope_type: "default", rope_theta: 250_000 } })).toBe(250_000);
    expect(base({ rope_scaling: { type: "default" }, rope_theta: 7 })).toBe(7);
    expect(base({})).toBe(10_000);
  });

  it("gives scaled rotary angles", () => {
    const scaled = (rope_scaling: unknown) =>
      parseModelConfig(changed("tiny-llama", { rope_parameters: undefined, rope_scaling }), "c").rotary;
    expect(scaled({ type: "linear", factor: 2 })).toMatchObject({ scaling: "linear", factor: 2 });
    const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
    expect(scaled({ rope_type: "llama3", ...llama3 })).toEqual({
      ...{ width: 16, base: 10_000, scaling: "llama3", factor: 8 },
      ...{ lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192 },
    });
  });

  it("gives the biases it asks for", () => {
    expect(parseModelConfig(changed("tiny-llama", { attention_bias: true }), "c")).toMatchObject({
      attentionBias: true,
      attentionOutputBias: true,
      feedForwardBias: false,
    });
    expect(parseModelConfig(changed("tiny-llama", { mlp_bias: true }), "c").feedForwardBias).toBe(true);
  });

  it("falls back to what transformers assumes", () => {
    const left = { num_key_value_heads: undefined, head_dim: undefined, tie_word_embeddings: undefined };
    expect(parseModelConfig(changed("tiny-llama", left), "c")).toMatchObject({
      keyValueHeads: 4,
      headWidth: 16,
      tiedHead: false,
    });
  });

  it.each([
    [{ rope_parameters: { rope_type: "yarn", rope_theta: 1e4 } }, "yarn"],
    [{ rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } }, "partial_rotary_factor"],
    [{ rope_parameters: { rope_type: "dynamic", rope_theta: 1e4, factor: 2 } }, "dynamic"],
    [{ model_type: "qwen2", use_sliding_window: true }, "use_sliding_window"],
    [{ hidden_act: "relu2" }, "relu2"],
    [{ quantization_config: { quant_method: "awq" } }, "awq"],
  ])("is refused with %j", (changes, name) => {
    expectThrow(() => parseModelConfig(changed("tiny-llama", changes), "c"), "ERR_UNSUPPORTED", name);
  });

  it.each([
    [{ hidden_size: undefined }, "hidden_size"],
    [{ hidden_size: "64" }, "hidden_size"],
    [{ num_hidden_layers: 0 }, "num_hidden_layers"],
    [{ num_hidden_layers: 1e9 }, "num_hidden_layers"],
    [{ intermediate_size: 160.5 }, "intermediate_size"],
    [{ vocab_size: 2 ** 40 }, "vocab_size"],
    [{ rms_norm_eps: 0 }, "rms_norm_eps"],
    [{ num_key_value_heads: 3 }, "3 key/value heads"],
    [{ rope_scaling: { rope_type: "linear" }, rope_parameters: undefined }, "factor"],
    [{ rope_scaling: { rope_type: "llama3", factor: 8 }, rope_parameters: undefined }, "low_freq_factor"],
    [{ head_dim: undefined, num_attention_heads: 6, num_key_value_heads: 6 }, "6 heads"],
  ])("is no valid config with %j", (changes, name) => {
    expectThrow(() => parseModelConfig(changed("tiny-llama", changes), "c.json"), "ERR_MODEL_FORMAT", name, "c.json");
  });
});

describe("a GPT-2 config", () => {
  it("falls back to what transformers assumes", () => {
    const left = { n_inner: null, tie_word_embeddings: undefined, activation_function: undefined };
    const config = parseModelConfig(changed("tiny-gpt2", { ...left, n_embd: 32 }), "c");
    expect(config).toMatchObject({ feedForwardWidth: 128, headWidth: 8, tiedHead: true, activation: "gelu_tanh" });
  });

  it.each([
    ["scale_attn_by_inverse_layer_idx", true],
    ["scale_attn_weights", false],
    ["add_cross_attention", true],
  ])("is refused with %s %s", (name, value) => {
    expectThrow(() => parseModelConfig(changed("tiny-gpt2", { [name]: value }), "c"), "ERR_UNSUPPORTED", name);
  });
});

describe("a GPT-J config", () => {
  it("is read with the part of its heads that is rotated, and its biases", async () => {
    expect(await readModelConfig(officialPath("tiny-gptj", "model/config.json"))).toMatchObject({
      ...{ family: "gptj", headWidth: 16, rotary: { width: 8, base: 10_000, scaling: "none" }, tiedHead: false },
      ...{ attentionBias: false, feedForwardBias: true, headBias: true },
    });
  });

  it("rotates whole heads where it names no part", () => {
    expect(parseModelConfig(changed("tiny-gptj", { rotary_dim: null }), "c").rotary.width).toBe(16);
  });
});

describe("descendants of LLaMA", () => {
  const read = (model_type: string, changes: Record<string, unknown> = {}) =>
    parseModelConfig(changed("tiny-llama", { model_type, ...changes }), "c");

  it("differ as transformers' do", () => {
    expect(read("qwen2")).toMatchObject({ family: "qwen2", attentionBias: true, attentionOutputBias: false });
    expect(read("qwen3")).toMatchObject({ family: "qwen3", attentionBias: false, headNorms: true });
    expect(read("mistral")).toMatchObject({ family: "mistral", attentionBias: false, headNorms: false });
  });

  it("take texts as long as the window that they attend to", () => {
    expect(read("mistral", { sliding_window: 64 }).positions).toBe(64);
    expect(read("mistral", { sliding_window: 4096 }).positions).toBe(256);
    expect(read("mistral", { sliding_window: null }).positions).toBe(256);
  });
});

describe("an unknown architecture", () => {
  it.each([
    [{ model_type: "mamba", architectures: ["MambaForCausalLM"] }, "MambaForCausalLM"],
    [{ architectures: ["LlamaForCausalLM"] }, "LlamaForCausalLM"],
    [{ model_type: "constructor" }, "constructor"],
    [{}, "none"],
  ])("is named, with those that are known: %j", (json, name) => {
    expectThrow(() => parseModelConfig(json, "c"), "ERR_UNKNOWN_ARCHITECTURE", name, '"llama"', '"gpt2"');
  });

  it.each([null, 7, [], "llama"])("is no object at all: %j", (json) => {
    expect(() => parseModelConfig(json, "c")).toThrow(LyaplockError);
  });
});

it("any JSON under any key is answered with a description or a LyaplockError", () => {
  const keys = Object.keys(officialJson<object>("tiny-llama", "model/config.json"));
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
      try {
        const config = parseModelConfig(changed("tiny-llama", { [key]: value }), "c");
        expect(Number.isSafeInteger(config.width * config.feedForwardWidth * config.layers)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(LyaplockError);
      }
    }),
    { seed: 2, numRuns: 1000 },
  );
});
