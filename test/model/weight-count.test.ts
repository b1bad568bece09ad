import { describe, expect, it } from "vitest";
import { parseModelConfig } from "../../src/model/config.js";
import { countWeights } from "../../src/model/weight-count.js";

const gpt2Xl = { model_type: "gpt2", n_embd: 1600, n_layer: 48, n_head: 25, vocab_size: 50257 };
const llama3 = {
  ...{ model_type: "llama", hidden_size: 4096, intermediate_size: 14336, vocab_size: 128256 },
  ...{ num_hidden_layers: 32, num_attention_heads: 32, num_key_value_heads: 8 },
};

describe("the number of weights", () => {
  // As transformers' num_parameters() counts them; the last is LLaMA-3-8B without its own head of 128256 × 4096.
  it.each([
    ["GPT2-XL", gpt2Xl, 1_557_611_200],
    ["LLaMA-3-8B", llama3, 8_030_261_248],
    ["the same with a tied head", { ...llama3, tie_word_embeddings: true }, 8_030_261_248 - 128_256 * 4096],
  ])("of %s is that which is known", (_name, json, known) => {
    expect(countWeights(parseModelConfig(json, "config.json"))).toBe(known);
  });
});
