#include "model/weight_delta.h"

#include <bit>
#include <random>

#include "check.h"

using namespace lyaplock;

namespace {

struct Problem {
  std::size_t rows, cols;
  std::vector<float> original, edited;
  std::vector<double> drift;
};

/// A drift of some rank, `size` times as large as the weights.
Problem problem(std::size_t rows, std::size_t cols, std::size_t rank, double size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Problem p{rows, cols, std::vector<float>(rows * cols), std::vector<float>(rows * cols), {}};
  p.drift.assign(rows * cols, 0.0);
  for (float& weight : p.original) weight = static_cast<float>(0.02 * normal(random));
  for (std::size_t k = 0; k < rank; ++k) {
    std::vector<double> left(rows), right(cols);
    for (double& x : left) x = normal(random);
    for (double& x : right) x = normal(random);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) p.drift[i * cols + j] += 0.02 * size * left[i] * right[j];
  }
  p.original[0] = 0.0F;
  p.original[1] = -0.0F;
  p.original[2] = 1e-40F;  // all of it is lost beside the drift
  for (std::size_t i = 0; i < p.edited.size(); ++i)
    p.edited[i] = static_cast<float>(static_cast<double>(p.original[i]) + p.drift[i]);
  return p;
}

bool same(std::span<const float> a, std::span<const float> b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) return false;
  return a.size() == b.size();
}

WeightDelta delta_of(const Problem& p, bool with_drift = true) {
  std::vector<double> drift = with_drift ? p.drift : std::vector<double>{};
  return delta_between(p.rows, p.cols, p.original, p.edited, drift);
}

void check_both_ways(const Problem& p, const WeightDelta& delta) {
  std::vector<float> weight = p.original;
  change(delta, DeltaDirection::apply, weight);
  CHECK(same(weight, p.edited));
  change(delta, DeltaDirection::remove, weight);
  CHECK(same(weight, p.original));
}

TEST("a delta of low rank is small, and goes both ways to the bit") {
  for (const double size : {1e-4, 0.05}) {
    const Problem p = problem(48, 700, 5, size, 7);
    const WeightDelta delta = delta_of(p);
    CHECK(!delta.dense());
    CHECK(delta.rank() == 5);
    CHECK(delta.bytes() < 4 * 48 * 700);
    check_both_ways(p, delta);
  }
}

TEST("removing needs what rounding has lost") {
  const Problem p = problem(48, 700, 5, 0.05, 8);
  WeightDelta delta = delta_of(p);
  CHECK(!delta.remove.places.empty());
  CHECK(delta.apply.places.size() < delta.remove.places.size());
  delta.remove = {};
  std::vector<float> weight = p.edited;
  change(delta, DeltaDirection::remove, weight);
  CHECK(!same(weight, p.original));
}

TEST("a delta is dense where factors are no smaller, or the drift is not known") {
  const Problem full = problem(48, 60, 48, 0.05, 9);
  CHECK(delta_of(full).dense());
  check_both_ways(full, delta_of(full));
  const Problem low = problem(48, 700, 2, 0.05, 10);
  CHECK(delta_of(low, false).dense());
  check_both_ways(low, delta_of(low, false));
}

TEST("a drift much larger than the weights leaves too little of them for factors") {
  const Problem p = problem(48, 700, 5, 100, 13);
  CHECK(delta_of(p).dense());
  check_both_ways(p, delta_of(p));
}

TEST("a drift that is not the whole difference is corrected") {
  Problem p = problem(40, 300, 3, 0.05, 11);
  for (std::size_t i = 5; i < p.edited.size(); i += 997) p.edited[i] = 1.5F;
  const WeightDelta delta = delta_of(p);
  CHECK(!delta.dense());
  check_both_ways(p, delta);
}

TEST("a drift of zero makes no factors") {
  Problem p = problem(8, 9, 0, 0, 12);
  CHECK(delta_of(p).dense());
  check_both_ways(p, delta_of(p));
}

}  // namespace
