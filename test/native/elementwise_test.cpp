#include "arrays.h"
#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

template <class T>
void fill_and_copy(Backend& on) {
  Random random(1);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 3}) {
      const Array content = random.array(rows, cols);
      Placed<T> x(on, content, gap);
      Placed<T> y(on, Array(rows, cols, 5), gap + 1);
      on.copy(x.view(), y.view());
      CHECK_SAME(y.read(), x.read());
      on.fill(static_cast<T>(2.5), y.view());
      CHECK_SAME(y.read(), Array(rows, cols, 2.5));
    }
}

template <class T>
void add_scaled(Backend& on, double tolerance) {
  Random random(2);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 1}) {
      const Array x = random.array(rows, cols);
      const Array y = random.array(rows, cols);
      Array expected = y;
      for (std::size_t i = 0; i < expected.values.size(); ++i) expected.values[i] += 0.75 * x.values[i];
      Placed<T> placed_x(on, x, gap);
      Placed<T> placed_y(on, y, 2 * gap);
      on.add_scaled(static_cast<T>(0.75), placed_x, placed_y);
      CHECK_CLOSE(placed_y.read(), expected, tolerance, tolerance);
    }
}

template <class T>
void dot(Backend& on) {
  Random random(3);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 2}) {
      const Array x = random.array(rows, cols);
      const Array y = random.array(rows, cols);
      double expected = 0;
      for (std::size_t i = 0; i < x.values.size(); ++i) expected += x.values[i] * y.values[i];
      Placed<T> placed_x(on, x, gap);
      Placed<T> placed_y(on, y, gap);
      const double actual = on.dot(ConstMatrixView<T>(placed_x), ConstMatrixView<T>(placed_y));
      CHECK(std::abs(actual - expected) <= 1e-12 * static_cast<double>(x.values.size() + 1));
      CHECK(actual == on.dot(ConstMatrixView<T>(placed_x), ConstMatrixView<T>(placed_y)));
    }
}

template <class T>
void all_finite(Backend& on) {
  Random random(4);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 2}) {
      Array x = random.array(rows, cols, -1e30, 1e30);
      CHECK(on.all_finite(ConstMatrixView<T>(Placed<T>(on, x, gap))));
      for (const double bad : {NAN, INFINITY, -INFINITY})
        for (std::size_t i = 0; i < x.values.size(); i += 1 + x.values.size() / 7) {
          Array spoilt = x;
          spoilt.values[i] = bad;
          CHECK(!on.all_finite(ConstMatrixView<T>(Placed<T>(on, spoilt, gap))));
        }
    }
}

}  // namespace

BACKEND_TEST("fill and copy, float32") { fill_and_copy<float>(on); }
BACKEND_TEST("fill and copy, float64") { fill_and_copy<double>(on); }
BACKEND_TEST("add_scaled, float32") { add_scaled<float>(on, 1e-7); }
BACKEND_TEST("add_scaled, float64") { add_scaled<double>(on, 1e-15); }
BACKEND_TEST("dot, float32") { dot<float>(on); }
BACKEND_TEST("dot, float64") { dot<double>(on); }
BACKEND_TEST("all_finite, float32") { all_finite<float>(on); }
BACKEND_TEST("all_finite, float64") { all_finite<double>(on); }

BACKEND_TEST("convert widens exactly and narrows to nearest") {
  Random random(5);
  for (const auto& [rows, cols] : edge_shapes) {
    Array x = random.array(rows, cols);
    Placed<float> narrow(on, x, 1);
    Placed<double> wide(on, Array(rows, cols), 2);
    on.convert(narrow, wide);
    CHECK_SAME(wide.read(), x);
    Array rounded = x;
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      x.values[i] *= 1 + 1e-9 * static_cast<double>(i);
      rounded.values[i] = static_cast<double>(static_cast<float>(x.values[i]));
    }
    Placed<double> from(on, x, 1);
    on.convert(from, narrow);
    CHECK_SAME(narrow.read(), rounded);
  }
}

BACKEND_TEST("add_rounded rounds once, also in place") {
  Random random(6);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 1}) {
      const Array base = random.array(rows, cols);
      Array drift = random.array(rows, cols);
      Array expected = base;
      for (std::size_t i = 0; i < drift.values.size(); ++i) {
        drift.values[i] *= 1e-8 * (1 + 1e-12);
        expected.values[i] = static_cast<double>(static_cast<float>(base.values[i] + drift.values[i]));
      }
      Placed<float> placed_base(on, base, gap);
      Placed<double> placed_drift(on, drift, gap);
      Placed<float> y(on, Array(rows, cols, NAN), gap);
      on.add_rounded(placed_base, placed_drift, y);
      CHECK_SAME(y.read(), expected);
      on.add_rounded(placed_base, placed_drift, placed_base);
      CHECK_SAME(placed_base.read(), expected);
    }
}

BACKEND_TEST("add_bias adds to every row") {
  Random random(7);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array bias = random.array(1, cols);
    const Array x = random.array(rows, cols);
    Array expected = x;
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) expected(i, j) += bias(0, j);
    Placed<float> placed(on, x, 3);
    on.add_bias(Placed<float>(on, bias), placed);
    CHECK_CLOSE(placed.read(), expected, 1e-7, 1e-7);
  }
}

BACKEND_TEST("scale_columns") {
  Random random(7);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 1}) {
      const Array x = random.array(rows, cols);
      const Array weights = random.array(1, cols);
      Placed<double> placed(on, x, gap);
      on.scale_columns(Placed<double>(on, weights, 2 * gap), placed);
      CHECK_SAME(placed.read(), with_scaled_columns(x, weights));
    }
}

BACKEND_TEST("subtract_from leaves the difference and returns its squares' sum, NaN included") {
  Random random(8);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 2}) {
      Array x = random.array(rows, cols);
      const Array y = random.array(rows, cols);
      Array expected = x;
      double sum = 0;
      for (std::size_t i = 0; i < x.values.size(); ++i) {
        expected.values[i] -= y.values[i];
        sum += expected.values[i] * expected.values[i];
      }
      Placed<double> placed(on, y, gap);
      const double actual = on.subtract_from(Placed<double>(on, x, gap), placed);
      CHECK_SAME(placed.read(), expected);
      CHECK(std::abs(actual - sum) <= 1e-12 * static_cast<double>(x.values.size() + 1));
      if (x.values.empty()) continue;
      x.values.back() = NAN;
      CHECK(std::isnan(on.subtract_from(Placed<double>(on, x, gap), Placed<double>(on, y, gap))));
    }
}
