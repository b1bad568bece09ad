// Sums and maxima over a row, in an order that lets them vectorise and does not depend on anything but the length.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include "backend/cpu/vector_target.h"

namespace lyaplock::cpu {

/// Sum of term(i) for i in [0, n); term returns a float32. Each partial sum takes 8 terms in float32 before it goes to
/// float64, so the result is good to a few units of float32 however long the row.
template <class Term>
LYAPLOCK_INLINE double sum_over(std::size_t n, const Term& term) {
  constexpr std::size_t partials = 4;
  constexpr std::size_t stride = partials * vector_width;
  constexpr std::size_t block_length = 8 * stride;
  double total[vector_width] = {};
  double rest = 0;
  // The terms of a block go through memory (which stays in the first cache) so that computing them is a plain loop.
  alignas(64) float block[block_length];
  for (std::size_t begin = 0; begin < n; begin += block_length) {
    const std::size_t count = std::min(block_length, n - begin);
    for (std::size_t i = 0; i < count; ++i) block[i] = term(begin + i);
    Vector partial[partials] = {};
    std::size_t i = 0;
    for (; i + stride <= count; i += stride)
      for (std::size_t j = 0; j < partials; ++j) partial[j] += as_vector(block + i + j * vector_width);
    const Vector sum = (partial[0] + partial[1]) + (partial[2] + partial[3]);
    for (std::size_t lane = 0; lane < vector_width; ++lane) total[lane] += static_cast<double>(sum[lane]);
    for (; i < count; ++i) rest += static_cast<double>(block[i]);
  }
  for (const double lane : total) rest += lane;
  return rest;
}

/// The largest of x[0, n), -inf if there is none. NaN elements are passed over.
LYAPLOCK_INLINE float maximum_of(const float* x, std::size_t n) {
  // The lanes may live in memory; this many hide its latency.
  constexpr std::size_t width = 64;
  float lanes[width];
  for (float& lane : lanes) lane = -std::numeric_limits<float>::infinity();
  std::size_t i = 0;
  for (; i + width <= n; i += width)
    for (std::size_t lane = 0; lane < width; ++lane) {
      const float candidate = x[i + lane];
      lanes[lane] = candidate > lanes[lane] ? candidate : lanes[lane];
    }
  float largest = -std::numeric_limits<float>::infinity();
  for (const float lane : lanes) largest = lane > largest ? lane : largest;
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

}  // namespace lyaplock::cpu
