import { z } from "zod";
import type { ModelDescription } from "../../native/addon.js";
import { readActivation } from "./activation.js";
import { headCount, layerCount, layerWidth, normEpsilon, positionCount, vocabularySize } from "./bounds.js";
import { refuse } from "./refuse.js";

/** Defaults are those of transformers' GPT2Config. */
const gpt2Config = z.looseObject({
  n_embd: layerWidth,
  n_layer: layerCount,
  n_head: headCount,
  n_positions: positionCount.default(1024),
  n_inner: layerWidth.nullish(),
  vocab_size: vocabularySize,
  layer_norm_epsilon: normEpsilon.default(1e-5),
  activation_function: z.string().default("gelu_new"),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  add_cross_attention: z.boolean().default(false),
});

/** @throws ERR_UNSUPPORTED for what GPT-2-like configs may ask for and native/model does not compute. */
export function describeGpt2(json: unknown): ModelDescription {
  const config = gpt2Config.parse(json);
  refuse(config.scale_attn_by_inverse_layer_idx, "scale_attn_by_inverse_layer_idx: attention scaled by depth");
  refuse(!config.scale_attn_weights, "scale_attn_weights false: attention without its scale");
  refuse(config.add_cross_attention, "add_cross_attention: attention to an encoder");
  return {
    family: "gpt2",
    layers: config.n_layer,
    width: config.n_embd,
    heads: config.n_head,
    keyValueHeads: config.n_head,
    headWidth: config.n_embd / config.n_head,
    feedForwardWidth: config.n_inner ?? 4 * config.n_embd,
    vocabulary: config.vocab_size,
    positions: config.n_positions,
    normEpsilon: config.layer_norm_epsilon,
    tiedHead: config.tie_word_embeddings,
    rotary: { width: 0, base: 10_000, scaling: "none" }, // positions are learned
    activation: readActivation(config.activation_function),
    attentionBias: true,
    attentionOutputBias: true,
    feedForwardBias: true,
    headBias: false,
    headNorms: false,
  };
}
