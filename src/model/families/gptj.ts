import { z } from "zod";
import type { ModelDescription } from "../../native/addon.js";
import { readActivation } from "./activation.js";
import { headCount, headWidth, layerCount, layerWidth, normEpsilon, positionCount, vocabularySize } from "./bounds.js";

/** Defaults are those of transformers' GPTJConfig. */
const gptjConfig = z.looseObject({
  n_embd: layerWidth,
  n_layer: layerCount,
  n_head: headCount,
  n_positions: positionCount.default(2048),
  n_inner: layerWidth.nullish(),
  vocab_size: vocabularySize,
  rotary_dim: headWidth.nullish(),
  layer_norm_epsilon: normEpsilon.default(1e-5),
  activation_function: z.string().default("gelu_new"),
  tie_word_embeddings: z.boolean().default(false),
});

/** Attention and feed-forward part side by side, heads rotated in part, a head with a bias. */
export function describeGptj(json: unknown): ModelDescription {
  const config = gptjConfig.parse(json);
  const width = config.n_embd / config.n_head;
  return {
    family: "gptj",
    layers: config.n_layer,
    width: config.n_embd,
    heads: config.n_head,
    keyValueHeads: config.n_head,
    headWidth: width,
    feedForwardWidth: config.n_inner ?? 4 * config.n_embd,
    vocabulary: config.vocab_size,
    positions: config.n_positions,
    normEpsilon: config.layer_norm_epsilon,
    tiedHead: config.tie_word_embeddings,
    // Without a width, transformers rotates whole heads.
    rotary: { width: config.rotary_dim ?? width, base: 10_000, scaling: "none" },
    activation: readActivation(config.activation_function),
    attentionBias: false,
    attentionOutputBias: false,
    feedForwardBias: true,
    headBias: true,
    headNorms: false,
  };
}
