#include "model/weight_delta.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lyaplock {

namespace {

/// What is left of the drift relative to its largest element when factors are taken for it. A float32 keeps 2^-24 of a
/// weight, of which drifts are a small part, so that few elements are off by as little as this.
constexpr double remainder = 0x1p-30;

std::int32_t bits_of(float x) { return std::bit_cast<std::int32_t>(x); }

struct Factors {
  std::vector<double> left;   // [r, m]: a row for each step, turned at the end
  std::vector<double> right;  // [r, d]
  std::size_t rank = 0;
};

/// Gaussian elimination with complete pivoting: every step takes the cross of the largest element left, until what is
/// left of `matrix` is small or `most` steps were taken. Empty if they did not do.
Factors factors_of(std::size_t rows, std::size_t cols, std::span<double> matrix, std::size_t most) {
  Factors factors;
  const auto largest = [&] {
    return static_cast<std::size_t>(
        std::max_element(matrix.begin(), matrix.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }) -
        matrix.begin());
  };
  std::size_t pivot = largest();
  const double limit = std::abs(matrix[pivot]) * remainder;
  while (std::abs(matrix[pivot]) > limit) {
    if (factors.rank == most) return {};
    const std::size_t row = pivot / cols, col = pivot % cols;
    const double scale = matrix[pivot];
    for (std::size_t i = 0; i < rows; ++i) factors.left.push_back(matrix[i * cols + col] / scale);
    factors.right.insert(factors.right.end(), matrix.begin() + static_cast<std::ptrdiff_t>(row * cols),
                         matrix.begin() + static_cast<std::ptrdiff_t>((row + 1) * cols));
    const double* left = factors.left.data() + factors.rank * rows;
    const double* right = factors.right.data() + factors.rank * cols;
    for (std::size_t i = 0; i < rows; ++i) {
      double* out = matrix.data() + i * cols;
      for (std::size_t j = 0; j < cols; ++j) out[j] -= left[i] * right[j];
      out[col] = 0;  // but for rounding, and so that no pivot comes twice
    }
    std::fill_n(matrix.begin() + static_cast<std::ptrdiff_t>(row * cols), cols, 0.0);
    ++factors.rank;
    pivot = largest();
  }
  return factors;
}

/// sum += factor * row, as a product that is rounded and then a sum that is: compilers may not make one operation of
/// it.
#if defined(__clang__)
void add_multiple(std::size_t n, double factor, const double* row, double* sum) {
#pragma clang fp contract(off)
#else
__attribute__((optimize("fp-contract=off"))) void add_multiple(std::size_t n, double factor, const double* row,
                                                               double* sum) {
#endif
  for (std::size_t j = 0; j < n; ++j) sum[j] += factor * row[j];
}

/// Calls take(place, D(place)) for every element of D = left right, tile by tile.
template <class Take>
void for_each_element(const WeightDelta& delta, const Take& take) {
  constexpr std::size_t tile = 512;  // columns, so that their part of `right` stays in the cache
  const std::size_t rank = delta.rank();
  std::vector<double> sums(tile);
  for (std::size_t begin = 0; begin < delta.cols; begin += tile) {
    const std::size_t count = std::min(tile, delta.cols - begin);
    for (std::size_t i = 0; i < delta.rows; ++i) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (std::size_t k = 0; k < rank; ++k)
        add_multiple(count, delta.left[i * rank + k], delta.right.data() + k * delta.cols + begin, sums.data());
      for (std::size_t j = 0; j < count; ++j) take(i * delta.cols + begin + j, sums[j]);
    }
  }
}

float changed(DeltaDirection direction, float weight, double drift) {
  const double sum =
      direction == DeltaDirection::apply ? static_cast<double>(weight) + drift : static_cast<double>(weight) - drift;
  return static_cast<float>(sum);
}

void correct(WeightDelta::Corrections& corrections, std::size_t place, float comes, float should) {
  if (bits_of(comes) == bits_of(should)) return;
  corrections.places.push_back(static_cast<std::int32_t>(place));
  corrections.bits.push_back(bits_of(comes) ^ bits_of(should));
}

WeightDelta dense_delta(std::size_t rows, std::size_t cols, std::span<const float> original,
                        std::span<const float> edited) {
  WeightDelta delta;
  delta.rows = rows;
  delta.cols = cols;
  delta.difference.resize(original.size());
  for (std::size_t i = 0; i < original.size(); ++i) delta.difference[i] = bits_of(original[i]) ^ bits_of(edited[i]);
  return delta;
}

}  // namespace

std::size_t WeightDelta::bytes() const {
  return sizeof(double) * (left.size() + right.size()) +
         sizeof(std::int32_t) * (difference.size() + 2 * (apply.places.size() + remove.places.size()));
}

WeightDelta delta_between(std::size_t rows, std::size_t cols, std::span<const float> original,
                          std::span<const float> edited, std::span<double> drift) {
  const std::size_t dense_bytes = sizeof(float) * rows * cols;
  const std::size_t most = dense_bytes / (sizeof(double) * (rows + cols));
  if (drift.empty() || most == 0) return dense_delta(rows, cols, original, edited);
  Factors factors = factors_of(rows, cols, drift, most);
  if (factors.rank == 0) return dense_delta(rows, cols, original, edited);

  WeightDelta delta;
  delta.rows = rows;
  delta.cols = cols;
  delta.right = std::move(factors.right);
  delta.left.resize(factors.left.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < factors.rank; ++k) delta.left[i * factors.rank + k] = factors.left[k * rows + i];
  for_each_element(delta, [&](std::size_t place, double d) {
    correct(delta.apply, place, changed(DeltaDirection::apply, original[place], d), edited[place]);
    correct(delta.remove, place, changed(DeltaDirection::remove, edited[place], d), original[place]);
  });
  return delta.bytes() < dense_bytes ? delta : dense_delta(rows, cols, original, edited);
}

void change(const WeightDelta& delta, DeltaDirection direction, std::span<float> weight) {
  if (delta.dense()) {
    for (std::size_t i = 0; i < weight.size(); ++i)
      weight[i] = std::bit_cast<float>(bits_of(weight[i]) ^ delta.difference[i]);
    return;
  }
  for_each_element(delta, [&](std::size_t place, double d) { weight[place] = changed(direction, weight[place], d); });
  const auto& [places, bits] = direction == DeltaDirection::apply ? delta.apply : delta.remove;
  for (std::size_t i = 0; i < places.size(); ++i) {
    float& element = weight[static_cast<std::size_t>(places[i])];
    element = std::bit_cast<float>(bits_of(element) ^ bits[i]);
  }
}

}  // namespace lyaplock
