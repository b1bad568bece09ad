#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

BACKEND_TEST("adam_update follows Adam on the named rows and leaves the others") {
  Random random(81);
  for (const auto& [rows, cols] : edge_shapes) {
    Array x = random.array(rows, cols);
    Array first(rows, cols);
    Array second(rows, cols);
    Placed<float> placed_x(on, x, 1);
    Placed<float> placed_first(on, first, 2);
    Placed<float> placed_second(on, second, 3);
    std::vector<std::int32_t> named;
    for (std::size_t i = 0; i < rows; i += 2) named.push_back(static_cast<std::int32_t>(i));
    Adam adam{.learning_rate = 0.1F, .beta1 = 0.8F, .beta2 = 0.95F, .epsilon = 1e-3F, .step = 0};
    const double beta1 = static_cast<double>(adam.beta1);
    const double beta2 = static_cast<double>(adam.beta2);
    for (adam.step = 1; adam.step <= 4; ++adam.step) {
      const Array gradient = random.array(rows, cols);
      for (std::size_t i = 0; i < rows; i += 2)
        for (std::size_t j = 0; j < cols; ++j) {
          const double g = gradient(i, j);
          first(i, j) = beta1 * first(i, j) + (1 - beta1) * g;
          second(i, j) = beta2 * second(i, j) + (1 - beta2) * g * g;
          const double unbiased_first = first(i, j) / (1 - std::pow(beta1, adam.step));
          const double unbiased_second = second(i, j) / (1 - std::pow(beta2, adam.step));
          x(i, j) -= static_cast<double>(adam.learning_rate) * unbiased_first /
                     (std::sqrt(unbiased_second) + static_cast<double>(adam.epsilon));
        }
      on.adam_update(adam, named, Placed<float>(on, gradient), placed_first, placed_second, placed_x);
    }
    CHECK_CLOSE(placed_x.read(), x, 1e-5, 2e-6);
    CHECK_CLOSE(placed_first.read(), first, 1e-5, 1e-6);
    CHECK_CLOSE(placed_second.read(), second, 1e-5, 1e-6);
  }
}

BACKEND_TEST("clamp_row_norms scales back the named rows that are too long") {
  Random random(82);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array x = random.array(rows, cols);
    Array limits(1, rows);
    Array expected = x;
    std::vector<std::int32_t> named;
    for (std::size_t i = 0; i < rows; ++i) {
      double norm = 0;
      for (std::size_t j = 0; j < cols; ++j) norm += x(i, j) * x(i, j);
      norm = std::sqrt(norm);
      limits(0, i) = norm * (i % 2 == 0 ? 0.5 : 1.5);
      if (i % 3 == 2) continue;
      named.push_back(static_cast<std::int32_t>(i));
      if (i % 2 == 0)
        for (std::size_t j = 0; j < cols; ++j) expected(i, j) *= 0.5;
    }
    Placed<float> placed(on, x, 2);
    on.clamp_row_norms(named, Placed<float>(on, limits), placed);
    CHECK_CLOSE(placed.read(), expected, 1e-6, 1e-30);
  }
}

BACKEND_TEST("clamp_around leaves no element farther than the radius from its center") {
  Random random(83);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array center = random.array(rows, cols);
    Array x = random.array(rows, cols);
    Array expected = x;
    for (std::size_t i = 0; i < x.values.size(); ++i)
      expected.values[i] = std::clamp(x.values[i], center.values[i] - 0.25, center.values[i] + 0.25);
    Placed<float> placed(on, x, 2);
    on.clamp_around(Placed<float>(on, center, 1), 0.25F, placed);
    CHECK_CLOSE(placed.read(), expected, 0.0, 1e-7);
  }
  Placed<float> not_a_number(on, Array(1, 1, NAN));
  on.clamp_around(Placed<float>(on, Array(1, 1)), 1.0F, not_a_number);
  CHECK(std::isnan(not_a_number.read()(0, 0)));
}
