#include "base/error.h"
#include "model/family.h"

namespace lyaplock {

namespace {

/// Families that differ from LLaMA in what their configuration says alone: biases, norms of heads.
constexpr Family like_llama(std::string_view name) {
  return {
      .name = name,
      .norm = Norm::root_mean_square,
      .positions = Positions::rotary_halves,
      .gated = true,
      .parallel = false,
      .transposed = false,
      .prefix = "model.",
      .embedding = "embed_tokens",
      .position_embedding = {},
      .final_norm = "norm",
      .head = "lm_head",
      .block = "layers.{}.",
      .attention_norm = "input_layernorm",
      .query_key_value = {},
      .query = "self_attn.q_proj",
      .key = "self_attn.k_proj",
      .value = "self_attn.v_proj",
      .query_norm = "self_attn.q_norm",
      .key_norm = "self_attn.k_norm",
      .attention_output = "self_attn.o_proj",
      .feed_forward_norm = "post_attention_layernorm",
      .gate = "mlp.gate_proj",
      .up = "mlp.up_proj",
      .down = "mlp.down_proj",
  };
}

constexpr Family kFamilies[] = {
    like_llama("llama"),
    like_llama("mistral"),
    like_llama("qwen2"),
    like_llama("qwen3"),
    {
        .name = "gpt2",
        .norm = Norm::layer,
        .positions = Positions::learned,
        .gated = false,
        .parallel = false,
        .transposed = true,
        .prefix = "transformer.",
        .embedding = "wte",
        .position_embedding = "wpe",
        .final_norm = "ln_f",
        .head = "lm_head",
        .block = "h.{}.",
        .attention_norm = "ln_1",
        .query_key_value = "attn.c_attn",
        .query = {},
        .key = {},
        .value = {},
        .query_norm = {},
        .key_norm = {},
        .attention_output = "attn.c_proj",
        .feed_forward_norm = "ln_2",
        .gate = {},
        .up = "mlp.c_fc",
        .down = "mlp.c_proj",
    },
    {
        .name = "gptj",
        .norm = Norm::layer,
        .positions = Positions::rotary_neighbours,
        .gated = false,
        .parallel = true,
        .transposed = false,
        .prefix = "transformer.",
        .embedding = "wte",
        .position_embedding = {},
        .final_norm = "ln_f",
        .head = "lm_head",
        .block = "h.{}.",
        .attention_norm = "ln_1",
        .query_key_value = {},
        .query = "attn.q_proj",
        .key = "attn.k_proj",
        .value = "attn.v_proj",
        .query_norm = {},
        .key_norm = {},
        .attention_output = "attn.out_proj",
        .feed_forward_norm = {},
        .gate = {},
        .up = "mlp.fc_in",
        .down = "mlp.fc_out",
    },
};

}  // namespace

std::string Family::in_block(std::size_t layer, std::string_view weight) const {
  std::string name(block);
  name.replace(name.find("{}"), 2, std::to_string(layer));
  return name.append(weight);
}

const Family& family_named(std::string_view name) {
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.name == name) return family;
    known.append(known.empty() ? "" : ", ").append(family.name);
  }
  throw Error(ErrorCode::model_format,
              "There is no model family \"" + std::string(name) + "\"; this build knows " + known);
}

}  // namespace lyaplock
