import { describe, expect, it } from "vitest";
import { parseModelConfig } from "../../src/model/config.js";
import { countWeights } from "../../src/model/weight-count.js";

const gpt2Xl = { model_type: "gpt2", n_embd: 1600, n_layer: 48, n_head: 25, vocab_size: 50257 };
const llama3 = {
  ...{ model_type: "llama", hidden_size: 4096, intermediate_size: 14336, vocab_size: 128256 },
  ...{ num_hidden_layers: 32, num_attention_heads: 32, num_key_value_heads: 8 },
};

const gptj6B = { model_type: "gptj", n_embd: 4096, n_layer: 28, n_head: 16, vocab_size: 50400, rotary_dim: 64 };
const mistral7B = { ...llama3, model_type: "mistral", vocab_size: 32000 };
const qwen2 = {
  ...{ model_type: "qwen2", hidden_size: 896, intermediate_size: 4864, vocab_size: 151936, tie_word_embeddings: true },
  ...{ num_hidden_layers: 24, num_attention_heads: 14, num_key_value_heads: 2 },
};
const qwen3 = {
  ...{ model_type: "qwen3", hidden_size: 1024, intermediate_size: 3072, vocab_size: 151936, tie_word_embeddings: true },
  ...{ num_hidden_layers: 28, num_attention_heads: 16, num_key_value_heads: 8, head_dim: 128 },
};

describe("the number of weights", () => {
  // As transformers' num_parameters() counts them; a tied head is LLaMA-3-8B without its own of 128256 × 4096.
  it.each([
    ["GPT2-XL", gpt2Xl, 1_557_611_200],
    ["LLaMA-3-8B", llama3, 8_030_261_248],
    ["GPT-J-6B", gptj6B, 6_050_882_784],
    ["Mistral-7B", mistral7B, 7_241_732_096],
    ["Qwen2.5-0.5B", qwen2, 494_032_768],
    ["Qwen3-0.6B", qwen3, 596_049_920],
    ["LLaMA-3-8B with a tied head", { ...llama3, tie_word_embeddings: true }, 8_030_261_248 - 128_256 * 4096],
  ])("of %s is that which is known", (_name, json, known) => {
    expect(countWeights(parseModelConfig(json, "config.json"))).toBe(known);
  });
});
