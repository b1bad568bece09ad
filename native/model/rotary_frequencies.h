// How far a position turns each pair of entries of a head.
#pragma once

#include <cstddef>
#include <vector>

namespace lyaplock {

enum class RotaryScaling {
  none,
  linear,  // positions are divided by a factor
  llama3,  // slow pairs are, fast ones are not, with a ramp between (LLaMA 3.1)
};

struct RotaryPositions {
  std::size_t width = 0;  // entries of each head that are rotated, from its first
  double base = 10'000;   // of the geometric series of frequencies
  RotaryScaling scaling = RotaryScaling::none;
  double factor = 1;                 // of linear and llama3
  double low_frequency_factor = 1;   // of llama3: pairs that turn less often than this in the original context are slow
  double high_frequency_factor = 4;  // likewise: pairs that turn more often than this are fast
  double original_positions = 8192;  // likewise: the context the model was trained on first
};

/// Radians per position of the pairs [width / 2], fastest first.
std::vector<float> rotary_frequencies(const RotaryPositions& rotary);

}  // namespace lyaplock
