// Whether this machine computes correctly, and how fast.
#pragma once

#include "backend/backend.h"

namespace lyaplock {

struct SelfTest {
  double product_error;      // largest relative error of a float32 product against a naive one in float64
  double factor_error;       // ||L L^T - A|| / ||A|| of a float64 Cholesky factor
  double float32_gigaflops;  // of a square product
  double float64_gigaflops;
};

/// A second or so of work. Some BLAS builds pick a kernel that is wrong on some processors: this is how to see it.
SelfTest self_test(Backend& backend);

}  // namespace lyaplock
