// What the distributions of a row of logits have in common, inside kernels.
#pragma once

#include "backend/cuda/loops.h"

namespace lyaplock::cuda {

/// softmax(x) = exp(x - largest) / exp(log_sum), and log softmax(x) = (x - largest) - log_sum: two numbers, because
/// their sum would lose the digits of log_sum where logits are large.
struct Normaliser {
  float largest;
  double log_sum;
  [[nodiscard]] __device__ __forceinline__ float log_probability(float logit) const {
    return (logit - largest) - static_cast<float>(log_sum);
  }
};

/// All threads of the block read the row, twice. NaN anywhere in it, or no finite logit, gives a NaN log_sum.
__device__ __forceinline__ Normaliser normaliser_of(const float* logits, std::size_t n) {
  const float largest = largest_in_block(n, logits);
  return {largest, log(sum_in_block(n, [=](std::size_t j) { return expf(logits[j] - largest); }))};
}

}  // namespace lyaplock::cuda
