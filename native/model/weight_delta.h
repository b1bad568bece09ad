// What makes one float32 matrix of another, and the other of it, to the last bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lyaplock {

enum class DeltaDirection { apply, remove };

/// The difference of an edited matrix from the original one, [m, d] both, in the smaller of two forms.
///
/// *Dense*: the exclusive or of their bit patterns. It turns either into the other.
///
/// *Factors*: the drift D = left right that made float32(original + D) of the original. Adding or subtracting it and
/// rounding gives the other matrix but for a few elements: rounding up to a larger power of two has lost what
/// subtracting could not bring back, and D itself is rounded. Those elements are listed for either direction, with the
/// exclusive or of what comes and what should. Products are summed in one order and without fused operations, so that
/// the same comes on every machine.
struct WeightDelta {
  struct Corrections {
    std::vector<std::int32_t> places;  // row-major
    std::vector<std::int32_t> bits;    // as many
  };

  std::size_t rows = 0, cols = 0;
  std::vector<std::int32_t> difference;  // dense: [m, d], else empty

  std::vector<double> left;   // [m, r]
  std::vector<double> right;  // [r, d]
  Corrections apply, remove;

  [[nodiscard]] bool dense() const { return !difference.empty(); }
  [[nodiscard]] std::size_t rank() const { return rows == 0 ? 0 : left.size() / rows; }
  [[nodiscard]] std::size_t bytes() const;
};

/// Matrices are row-major, [rows, cols] all. `drift` is the difference in float64 before it was rounded, or empty where
/// nobody knows it: then, and where factors would not be smaller, the delta is dense. Overwrites the drift.
WeightDelta delta_between(std::size_t rows, std::size_t cols, std::span<const float> original,
                          std::span<const float> edited, std::span<double> drift);

/// In place: the original becomes the edited matrix, or the other way round.
void change(const WeightDelta& delta, DeltaDirection direction, std::span<float> weight);

}  // namespace lyaplock
