// Products of matrices too small for BLAS to be worth calling.
#pragma once

#include <cstddef>

namespace lyaplock::cpu {

/// Operands of C [m, n] += A [m, k] B [k, n], float32. A(i, j) is a[i * a_row_step + j * a_col_step], so that a
/// transposed A costs nothing; rows of B and C are contiguous, `b_stride` and `c_stride` apart.
struct SmallProduct {
  std::size_t m;
  std::size_t n;
  std::size_t k;
  const float* a;
  std::size_t a_row_step;
  std::size_t a_col_step;
  const float* b;
  std::size_t b_stride;
  float* c;
  std::size_t c_stride;
};

/// Adds A B to C, on the calling thread. Fast where n is a multiple of 16.
void add_small_product(const SmallProduct& product);

}  // namespace lyaplock::cpu
