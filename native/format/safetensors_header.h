// The JSON header of a safetensors file, parsed and written. What it claims is not yet held against the file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lyaplock {

/// The official readers refuse more, and no real model comes near: 100 MB hold about a million tensors.
inline constexpr std::uint64_t max_header_bytes = 100'000'000;
/// No framework has tensors of more dimensions.
inline constexpr std::size_t max_dimensions = 64;

/// One entry of the header. Offsets count from the first byte after the header.
struct TensorClaim {
  std::string name;
  std::string type;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin;
  std::uint64_t end;
};

struct SafetensorsHeader {
  std::vector<TensorClaim> tensors;             // names are distinct, in the order of the file
  std::map<std::string, std::string> metadata;  // "__metadata__"
};

/// Parses `{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"key":
/// "value"}}`, spaces after it allowed. Exactly this grammar, in UTF-8: no other members, no duplicates, whole numbers
/// only. Throws ErrorCode::model_format; the message says what was expected at which byte, and names `path`.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& path);

}  // namespace lyaplock
