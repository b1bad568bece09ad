// What the distributions of a row of logits have in common.
#pragma once

#include <cmath>

#include "backend/cpu/sums.h"
#include "backend/cpu/vector_math.h"

namespace lyaplock::cpu {

/// softmax(x) = exp(x - largest) / exp(log_sum), and log softmax(x) = (x - largest) - log_sum: two numbers, because
/// their sum would lose the digits of log_sum where logits are large.
struct Normaliser {
  float largest;
  double log_sum;
  [[nodiscard]] LYAPLOCK_INLINE float log_probability(float logit) const {
    return (logit - largest) - static_cast<float>(log_sum);
  }
};

/// Reads the row twice. NaN anywhere in it, or no finite logit, gives a NaN log_sum.
LYAPLOCK_INLINE Normaliser normaliser_of(const float* logits, std::size_t n) {
  const float largest = maximum_of(logits, n);
  return {largest, std::log(sum_over(n, [=](std::size_t j) { return exponential(logits[j] - largest); }))};
}

}  // namespace lyaplock::cpu
