// Numbers as people read them.
#pragma once

#include <array>
#include <cstdio>
#include <string>

namespace lyaplock {

/// With three digits, however small or large: "0.02", "3.1e-14".
inline std::string to_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

}  // namespace lyaplock
