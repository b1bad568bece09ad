// Numbers as people read them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>

namespace lyaplock {

/// With three digits, however small or large: "0.02", "3.1e-14".
inline std::string to_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

/// A size of memory, likewise, in the unit that leaves no more than three digits before the point: "512 MiB", "8 TiB".
inline std::string memory_to_text(std::size_t bytes) {
  constexpr std::array units{"MiB", "GiB", "TiB", "PiB"};
  double size = static_cast<double>(bytes) / (1 << 20);
  std::size_t unit = 0;
  // What rounds to 1000 is written with an exponent.
  for (; size >= 999.5 && unit + 1 < units.size(); ++unit) size /= 1024;
  return to_text(size) + " " + units[unit];
}

}  // namespace lyaplock
