// Algebra on host matrices, as plainly as it can be written.
#pragma once

#include "backend_test.h"

namespace lyaplock::test {

inline Array transposed(const Array& x) {
  Array out(x.cols, x.rows);
  for (std::size_t i = 0; i < x.rows; ++i)
    for (std::size_t j = 0; j < x.cols; ++j) out(j, i) = x(i, j);
  return out;
}

/// Sanitizers leave it alone: they would make minutes of its seconds.
__attribute__((no_sanitize("address", "thread", "undefined"))) inline Array product(const Array& a, const Array& b) {
  Array out(a.rows, b.cols);
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t l = 0; l < a.cols; ++l) {
      const double factor = a(i, l);
      const double* row = b.values.data() + l * b.cols;
      double* sum = out.values.data() + i * b.cols;
      for (std::size_t j = 0; j < b.cols; ++j) sum[j] += factor * row[j];
    }
  return out;
}

inline Array lower_of(const Array& a) {
  Array out = a;
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t j = i + 1; j < a.cols; ++j) out(i, j) = 0;
  return out;
}

/// The lower triangle of one, the upper of the other.
inline Array joined(const Array& lower, const Array& upper) {
  Array out = lower;
  for (std::size_t i = 0; i < out.rows; ++i)
    for (std::size_t j = i + 1; j < out.cols; ++j) out(i, j) = upper(i, j);
  return out;
}

/// x(:, j) times weights(0, j).
inline Array with_scaled_columns(Array x, const Array& weights) {
  for (std::size_t i = 0; i < x.rows; ++i)
    for (std::size_t j = 0; j < x.cols; ++j) x(i, j) *= weights(0, j);
  return x;
}

inline Array identity(std::size_t n) {
  Array out(n, n);
  for (std::size_t i = 0; i < n; ++i) out(i, i) = 1;
  return out;
}

}  // namespace lyaplock::test
