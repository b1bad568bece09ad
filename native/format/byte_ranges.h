// Where tensors lie in a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lyaplock {

/// [begin, end) of a named tensor.
struct ByteRange {
  std::string_view name;
  std::uint64_t begin;
  std::uint64_t end;
};

/// Two ranges that overlap, in words; nothing if there are none. Empty ranges overlap with nothing.
std::optional<std::string> overlap_in(std::vector<ByteRange> ranges);

}  // namespace lyaplock
