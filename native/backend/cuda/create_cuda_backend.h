// The CUDA backend, for those who know nothing of CUDA.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace lyaplock {

/// Inputs of float32 products. Sums are float32 always.
enum class ProductInputs {
  float32,   // as they are
  tf32,      // rounded to 10 bits of mantissa, for tensor cores (compute capability 8.0)
  bfloat16,  // rounded to 7 bits, for tensor cores (8.0; slow below)
};

struct CudaOptions {
  ProductInputs product_inputs = ProductInputs::float32;
  /// Positive definite systems of few right-hand sides are factored in float32, and solved to the accuracy of float64
  /// by refinement (Higham, "Accuracy and Stability of Numerical Algorithms", chapter 12); where that does not
  /// converge, in float64. Faster where float64 is slow.
  bool refined_solve = false;
};

/// ErrorCode::device, saying what is missing, where there is no driver, no GPU, or one too old.
void require_cuda_device();

/// On device 0 of those that CUDA_VISIBLE_DEVICES leaves visible. ErrorCode::device as above, or
/// where the GPU cannot do what the options ask for.
std::shared_ptr<Backend> create_cuda_backend(const CudaOptions& options);

}  // namespace lyaplock
