import { LyaplockError } from "../../errors.js";
import type { GgufHeader } from "./header.js";
import { rotaryScaling } from "./rotary.js";

type Json = Record<string, unknown>;

/** By "general.architecture" of llama.cpp. Mistral is "llama" there. */
const ARCHITECTURES: Record<string, (header: GgufHeader, architecture: string) => Json | Promise<Json>> = {
  llama: (header, architecture) => rotaryConfig(header, architecture, "LlamaForCausalLM"),
  qwen2: (header, architecture) => rotaryConfig(header, architecture, "Qwen2ForCausalLM"),
  qwen3: (header, architecture) => rotaryConfig(header, architecture, "Qwen3ForCausalLM"),
  gpt2: gpt2Config,
};

/**
 * The config.json of transformers for the model of a GGUF file.
 *
 * @throws ERR_UNKNOWN_ARCHITECTURE, ERR_MODEL_FORMAT when metadata is missing, ERR_UNSUPPORTED
 */
export async function configFromGguf(header: GgufHeader): Promise<Json> {
  const architecture = header.get("text", "general.architecture");
  const make = Object.hasOwn(ARCHITECTURES, architecture) ? ARCHITECTURES[architecture] : undefined;
  if (make === undefined) {
    const known = Object.keys(ARCHITECTURES).join(", ");
    const what = `${header.path}: the architecture "${architecture}" is not known; known are ${known}`;
    throw new LyaplockError("ERR_UNKNOWN_ARCHITECTURE", what);
  }
  const parts = header.find("number", "split.count") ?? 1;
  if (parts > 1) {
    throw header.error(
      `it is one of ${parts} parts: make them one file with llama-gguf-split --merge`,
      "ERR_UNSUPPORTED",
    );
  }
  return { ...(await make(header, architecture)), ...commonConfig(header) };
}

function commonConfig(header: GgufHeader): Json {
  const tokenId = (name: string) => header.find("number", `tokenizer.ggml.${name}_token_id`) ?? null;
  return {
    // The embedding has a row for every token, whatever else is said.
    vocab_size: shapeOfEmbedding(header)[0],
    tie_word_embeddings: header.shape("output.weight") === undefined,
    bos_token_id: tokenId("bos"),
    eos_token_id: tokenId("eos"),
    dtype: "float32",
  };
}

function shapeOfEmbedding(header: GgufHeader): number[] {
  const shape = header.shape("token_embd.weight");
  if (shape === undefined) throw header.error('there is no tensor "token_embd.weight"');
  return shape;
}

async function rotaryConfig(header: GgufHeader, architecture: string, className: string): Promise<Json> {
  const get = (key: string) => header.get("number", `${architecture}.${key}`);
  const find = (key: string) => header.find("number", `${architecture}.${key}`);
  if ((find("expert_count") ?? 0) > 0)
    throw header.error("it is a mixture of experts, which is not supported", "ERR_UNSUPPORTED");
  const heads = get("attention.head_count");
  const headWidth = find("attention.key_length") ?? get("embedding_length") / heads;
  checkHeads(header, architecture, headWidth);
  const base = find("rope.freq_base") ?? 10_000;
  return {
    architectures: [className],
    model_type: architecture,
    hidden_size: get("embedding_length"),
    intermediate_size: get("feed_forward_length"),
    num_hidden_layers: get("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: find("attention.head_count_kv") ?? heads,
    head_dim: headWidth,
    max_position_embeddings: get("context_length"),
    rms_norm_eps: get("attention.layer_norm_rms_epsilon"),
    rope_theta: base,
    rope_scaling: await rotaryScaling(header, architecture, headWidth, base),
    hidden_act: "silu",
    ...(architecture === "llama"
      ? { attention_bias: header.shape("blk.0.attn_q.bias") !== undefined, mlp_bias: false }
      : {}),
  };
}

/** What the file may ask for of its heads, and config.json has no word for. */
function checkHeads(header: GgufHeader, architecture: string, headWidth: number): void {
  for (const key of ["attention.value_length", "rope.dimension_count"]) {
    const width = header.find("number", `${architecture}.${key}`);
    if (width !== undefined && width !== headWidth) {
      const what = `"${architecture}.${key}" is ${width} and heads are ${headWidth} wide; that they differ is not supported`;
      throw header.error(what, "ERR_UNSUPPORTED");
    }
  }
}

function gpt2Config(header: GgufHeader): Json {
  const get = (key: string) => header.get("number", `gpt2.${key}`);
  return {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    n_embd: get("embedding_length"),
    n_layer: get("block_count"),
    n_head: get("attention.head_count"),
    n_positions: get("context_length"),
    n_inner: get("feed_forward_length"),
    layer_norm_epsilon: get("attention.layer_norm_epsilon"),
    activation_function: "gelu_new",
  };
}
