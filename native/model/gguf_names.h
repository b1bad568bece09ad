// What GGUF files call the weights.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/family.h"

namespace lyaplock {

/// The name that the family's own checkpoints give to a tensor of a GGUF file: "blk.0.attn_q.weight" is
/// "model.layers.0.self_attn.q_proj.weight" of a llama. Nothing for tensors that the family does not have.
std::optional<std::string> checkpoint_name(const Family& family, std::string_view gguf_name);

}  // namespace lyaplock
