#include <algorithm>

#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

BACKEND_TEST("relative_change, in place or not") {
  Random random(31);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 2}) {
      const Array delta = random.array(rows, cols);
      const Array weight = random.array(rows, cols);
      Array expected(rows, cols);
      for (std::size_t i = 0; i < expected.values.size(); ++i)
        expected.values[i] = std::abs(delta.values[i] / (weight.values[i] + 0.125));
      Placed<double> placed_delta(on, delta, gap);
      Placed<double> placed_weight(on, weight, gap);
      Placed<double> out(on, Array(rows, cols, NAN), 2 * gap);
      on.relative_change(placed_delta, placed_weight, 0.125, out);
      CHECK_CLOSE(out.read(), expected, 1e-15, 0);
      on.relative_change(placed_delta, placed_weight, 0.125, placed_delta);
      CHECK_SAME(placed_delta.read(), out.read());
    }
}

BACKEND_TEST("kth_smallest is what sorting finds") {
  Random random(32);
  for (const auto& [rows, cols] : edge_shapes)
    for (const bool has_ties : {false, true}) {
      Array x = random.array(rows, cols);
      if (has_ties)
        for (double& value : x.values) value = std::floor(3 * value);
      std::vector<double> sorted = x.values;
      std::sort(sorted.begin(), sorted.end());
      Placed<double> placed(on, x, 1);
      for (const std::size_t k : {std::size_t{1}, sorted.size() * 6 / 10, sorted.size()})
        if (k >= 1 && k <= sorted.size()) CHECK(on.kth_smallest(placed, k) == sorted[k - 1]);
      CHECK_SAME(placed.read(), x);
    }
}

BACKEND_TEST("kth_smallest counts NaN as larger than any number") {
  Array x(3, 3, NAN);
  x(0, 1) = INFINITY;
  x(1, 2) = 4;
  x(2, 0) = -INFINITY;
  Placed<double> placed(on, x);
  CHECK(on.kth_smallest(placed, 1) == -INFINITY);
  CHECK(on.kth_smallest(placed, 2) == 4);
  CHECK(on.kth_smallest(placed, 3) == INFINITY);
  CHECK(std::isnan(on.kth_smallest(placed, 4)));
  CHECK(std::isnan(on.kth_smallest(placed, 9)));
}

BACKEND_TEST("keep_at_least zeroes what is below the threshold, and nothing else") {
  Random random(33);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 1}) {
      const Array x = random.array(rows, cols);
      Array ratio = random.array(rows, cols);
      for (std::size_t i = 0; i < ratio.values.size(); i += 5) ratio.values[i] = 0.25;
      for (std::size_t i = 3; i < ratio.values.size(); i += 50) ratio.values[i] = NAN;
      Array expected = x;
      for (std::size_t i = 0; i < x.values.size(); ++i)
        if (ratio.values[i] < 0.25) expected.values[i] = 0;
      Placed<double> placed(on, x, gap);
      on.keep_at_least(Placed<double>(on, ratio, gap), 0.25, placed);
      CHECK_SAME(placed.read(), expected);
    }
}
