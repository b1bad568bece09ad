import { z } from "zod";
import type { ModelDescription } from "../../native/addon.js";
import { readActivation } from "./activation.js";
import { headCount, headWidth, layerCount, layerWidth, normEpsilon, positionCount, vocabularySize } from "./bounds.js";
import { refuse } from "./refuse.js";
import { readRotary, rotaryFields } from "./rotary.js";

/** What LLaMA and its descendants share; defaults are those of transformers' LlamaConfig. */
const llamaConfig = z.looseObject({
  hidden_size: layerWidth,
  intermediate_size: layerWidth,
  num_hidden_layers: layerCount,
  num_attention_heads: headCount,
  num_key_value_heads: headCount.nullish(),
  head_dim: headWidth.nullish(),
  vocab_size: vocabularySize,
  max_position_embeddings: positionCount.default(2048),
  rms_norm_eps: normEpsilon.default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.string().default("silu"),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  sliding_window: z.int().positive().nullish(),
  use_sliding_window: z.boolean().nullish(),
  ...rotaryFields,
});

/** LLaMA 1 to 3.2, and what calls itself so (SmolLM2, TinyLlama). @throws ERR_UNSUPPORTED */
export function describeLlama(json: unknown): ModelDescription {
  const config = llamaConfig.parse(json);
  const bias = config.attention_bias ?? false;
  return describe("llama", config, {
    attentionBias: bias,
    attentionOutputBias: bias,
    feedForwardBias: config.mlp_bias ?? false,
  });
}

/** Within its window, sliding attention sees all there is: texts may be that long. */
export function describeMistral(json: unknown): ModelDescription {
  const config = llamaConfig.parse(json);
  const positions = Math.min(config.max_position_embeddings, config.sliding_window ?? Infinity);
  return describe("mistral", { ...config, max_position_embeddings: positions });
}

/** Qwen 2 and 2.5: biases at queries, keys and values. @throws ERR_UNSUPPORTED */
export function describeQwen2(json: unknown): ModelDescription {
  const config = llamaConfig.parse(json);
  refuse(config.use_sliding_window, "use_sliding_window: attention to a window in some of the layers");
  return describe("qwen2", config, { attentionBias: true });
}

/** Qwen 3: heads that are normed. @throws ERR_UNSUPPORTED */
export function describeQwen3(json: unknown): ModelDescription {
  const config = llamaConfig.parse(json);
  refuse(config.use_sliding_window, "use_sliding_window: attention to a window in some of the layers");
  const bias = config.attention_bias ?? false;
  return describe("qwen3", config, { attentionBias: bias, attentionOutputBias: bias, headNorms: true });
}

function describe(
  family: string,
  config: z.infer<typeof llamaConfig>,
  differences: Partial<ModelDescription> = {},
): ModelDescription {
  const width = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  return {
    family,
    layers: config.num_hidden_layers,
    width: config.hidden_size,
    heads: config.num_attention_heads,
    keyValueHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headWidth: width,
    feedForwardWidth: config.intermediate_size,
    vocabulary: config.vocab_size,
    positions: config.max_position_embeddings,
    normEpsilon: config.rms_norm_eps,
    tiedHead: config.tie_word_embeddings,
    rotary: readRotary(config, width),
    activation: readActivation(config.hidden_act),
    attentionBias: false,
    attentionOutputBias: false,
    feedForwardBias: false,
    headBias: false,
    headNorms: false,
    ...differences,
  };
}
