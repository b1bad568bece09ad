#include "model/gguf_names.h"

#include <algorithm>
#include <array>

namespace lyaplock {

namespace {

struct Name {
  std::string_view gguf;
  std::string_view Family::* ours;
};

// The names are llama.cpp's for all its architectures (gguf-py/gguf/constants.py).

constexpr std::array names_outside_blocks = {
    Name{"token_embd", &Family::embedding},
    Name{"position_embd", &Family::position_embedding},
    Name{"output_norm", &Family::final_norm},
    Name{"output", &Family::head},
};

constexpr std::array names_in_blocks = {
    Name{"attn_norm", &Family::attention_norm},
    Name{"attn_qkv", &Family::query_key_value},
    Name{"attn_q", &Family::query},
    Name{"attn_k", &Family::key},
    Name{"attn_v", &Family::value},
    Name{"attn_q_norm", &Family::query_norm},
    Name{"attn_k_norm", &Family::key_norm},
    Name{"attn_output", &Family::attention_output},
    Name{"ffn_norm", &Family::feed_forward_norm},
    Name{"ffn_gate", &Family::gate},
    Name{"ffn_up", &Family::up},
    Name{"ffn_down", &Family::down},
};

/// The family's name; empty where the family or the table has none.
template <std::size_t Count>
std::string_view look_up(const Family& family, const std::array<Name, Count>& names, std::string_view gguf) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const Name& name) { return name.gguf == gguf; });
  return found == names.end() ? std::string_view{} : family.*(found->ours);
}

/// Takes "blk.12." off the front and returns 12; nothing where it does not stand there.
std::optional<std::size_t> take_layer(std::string_view& name) {
  constexpr std::string_view block = "blk.";
  if (!name.starts_with(block)) return std::nullopt;
  const std::size_t end = name.find('.', block.size());
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view digits = name.substr(block.size(), end - block.size());
  const bool is_number = !digits.empty() && digits.size() <= 6 && (digits == "0" || digits[0] != '0') &&
                         digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (!is_number) return std::nullopt;
  name.remove_prefix(end + 1);
  return std::stoul(std::string(digits));
}

}  // namespace

std::optional<std::string> checkpoint_name(const Family& family, std::string_view gguf_name) {
  const std::size_t dot = gguf_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view ending = gguf_name.substr(dot);
  if (ending != ".weight" && ending != ".bias") return std::nullopt;
  std::string_view stem = gguf_name.substr(0, dot);

  std::string name;
  if (const auto layer = take_layer(stem)) {
    const std::string_view weight = look_up(family, names_in_blocks, stem);
    if (weight.empty()) return std::nullopt;
    name = std::string(family.prefix) + family.in_block(*layer, weight);
  } else {
    const std::string_view weight = look_up(family, names_outside_blocks, stem);
    if (weight.empty()) return std::nullopt;
    // The head stands beside what the prefix names.
    name = std::string(weight == family.head ? "" : family.prefix).append(weight);
  }
  return name.append(ending);
}

}  // namespace lyaplock
