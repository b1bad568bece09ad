// Vectors that measure a large matrix by a few products.
#pragma once

#include <cmath>
#include <cstdint>

#include "backend/matrix.h"

namespace lyaplock {

/// How many: the norm they estimate is right within about a quarter.
inline constexpr std::size_t probe_count = 8;

/// [rows, probe_count] of plus and minus one, the same at every call. For any A [n, rows] the expected ||A V||² over
/// such V is probe_count ||A||² (Hutchinson 1990): a residual is measured without forming it.
inline Matrix<double> probes(Backend& backend, std::size_t rows) {
  std::vector<double> signs(rows * probe_count);
  std::uint64_t state = 0x9e3779b97f4a7c15ULL;
  for (double& sign : signs) {
    state ^= state << 13;  // xorshift64 (Marsaglia 2003)
    state ^= state >> 7;
    state ^= state << 17;
    sign = (state & 1) != 0 ? 1.0 : -1.0;
  }
  return upload<double>(backend, signs, rows, probe_count);
}

/// ||A|| relative to a norm whose square is given, from A's products with the probes.
inline double relative_norm(Backend& backend, ConstMatrixView<double> products, double squared_norm) {
  const double error = std::sqrt(backend.dot(products, products) / static_cast<double>(probe_count));
  return squared_norm > 0 ? error / std::sqrt(squared_norm) : error;
}

/// How much of its norm a square matrix differs from its transpose by.
inline double relative_asymmetry(Backend& backend, ConstMatrixView<double> matrix) {
  const Matrix<double> probe = probes(backend, matrix.rows);
  Matrix<double> product(backend, matrix.rows, probe_count);
  backend.gemm(Transpose::no, Transpose::no, 1.0, matrix, probe, 0.0, product);
  backend.gemm(Transpose::yes, Transpose::no, -1.0, matrix, probe, 1.0, product);
  return relative_norm(backend, product, backend.dot(matrix, matrix));
}

}  // namespace lyaplock
