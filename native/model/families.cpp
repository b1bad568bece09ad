#include "base/error.h"
#include "model/family.h"

namespace lyaplock {

namespace {

constexpr Family kFamilies[] = {
    {
        .name = "llama",
        .norm = Norm::root_mean_square,
        .positions = Positions::rotary,
        .gated = true,
        .biases = false,
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
        .attention_output = "self_attn.o_proj",
        .feed_forward_norm = "post_attention_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
    },
    {
        .name = "gpt2",
        .norm = Norm::layer,
        .positions = Positions::learned,
        .gated = false,
        .biases = true,
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
        .attention_output = "attn.c_proj",
        .feed_forward_norm = "ln_2",
        .gate = {},
        .up = "mlp.c_fc",
        .down = "mlp.c_proj",
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
