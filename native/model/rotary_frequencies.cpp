#include "model/rotary_frequencies.h"

#include <cmath>
#include <numbers>

namespace lyaplock {

namespace {

/// A pair that turns often within the original context keeps its frequency, one that hardly turns is slowed down.
float scaled_as_llama3(const RotaryPositions& rotary, float frequency) {
  const auto original = static_cast<float>(rotary.original_positions), factor = static_cast<float>(rotary.factor);
  const auto low = static_cast<float>(rotary.low_frequency_factor);
  const auto high = static_cast<float>(rotary.high_frequency_factor);
  const float wavelength = 2 * std::numbers::pi_v<float> / frequency;
  if (wavelength > original / low) return frequency / factor;
  if (wavelength < original / high) return frequency;
  const float share = (original / wavelength - low) / (high - low);
  return (1 - share) * frequency / factor + share * frequency;
}

}  // namespace

std::vector<float> rotary_frequencies(const RotaryPositions& rotary) {
  std::vector<float> frequencies(rotary.width / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    // In float32 throughout, as transformers computes them: the angles of far positions depend on it.
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotary.width);
    const float frequency = 1.0F / std::pow(static_cast<float>(rotary.base), exponent);
    switch (rotary.scaling) {
      case RotaryScaling::none: frequencies[i] = frequency; break;
      case RotaryScaling::linear: frequencies[i] = frequency / static_cast<float>(rotary.factor); break;
      case RotaryScaling::llama3: frequencies[i] = scaled_as_llama3(rotary, frequency); break;
    }
  }
  return frequencies;
}

}  // namespace lyaplock
