import { z } from "zod";
import { LyaplockError } from "../../errors.js";
import type { ModelDescription } from "../../native/addon.js";
import { readActivation } from "./activation.js";
import { headCount, layerCount, layerWidth, normEpsilon, positionCount, rotaryBase, vocabularySize } from "./bounds.js";

/** How angles are made: `rope_parameters` of transformers 5, `rope_scaling` (with `type` in old files) of transformers 4. */
const rotary = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: rotaryBase.optional(),
  partial_rotary_factor: z.number().optional(),
});

/** Defaults are those of transformers' LlamaConfig. */
const llamaConfig = z.looseObject({
  hidden_size: layerWidth,
  intermediate_size: layerWidth,
  num_hidden_layers: layerCount,
  num_attention_heads: headCount,
  num_key_value_heads: headCount.nullish(),
  head_dim: layerWidth.nullish(),
  vocab_size: vocabularySize,
  max_position_embeddings: positionCount.default(2048),
  rms_norm_eps: normEpsilon.default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.string().default("silu"),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  rope_theta: rotaryBase.nullish(),
  rope_scaling: rotary.nullish(),
  rope_parameters: rotary.nullish(),
});

/** @throws ERR_UNSUPPORTED for what LLaMA-like configs may ask for and native/model does not compute. */
export function describeLlama(json: unknown): ModelDescription {
  const config = llamaConfig.parse(json);
  refuse(config.attention_bias, "attention_bias: biases in the attention's projections are");
  refuse(config.mlp_bias, "mlp_bias: biases in the feed-forward part are");
  for (const kind of [config.rope_parameters, config.rope_scaling]) {
    const name = kind?.rope_type ?? kind?.type ?? "default";
    refuse(name !== "default", `rope_type "${name}": scaled rotary angles are`);
    const share = kind?.partial_rotary_factor ?? 1;
    refuse(share !== 1, `partial_rotary_factor ${share}: heads that are rotated in part are`);
  }
  return {
    family: "llama",
    layers: config.num_hidden_layers,
    width: config.hidden_size,
    heads: config.num_attention_heads,
    keyValueHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headWidth: config.head_dim ?? config.hidden_size / config.num_attention_heads,
    feedForwardWidth: config.intermediate_size,
    vocabulary: config.vocab_size,
    positions: config.max_position_embeddings,
    normEpsilon: config.rms_norm_eps,
    tiedHead: config.tie_word_embeddings,
    rotaryBase: config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000,
    activation: readActivation(config.hidden_act),
  };
}

function refuse(wanted: boolean | null | undefined, what: string): void {
  if (wanted) throw new LyaplockError("ERR_UNSUPPORTED", `${what} not supported`);
}
