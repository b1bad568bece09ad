#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

constexpr double epsilon = 0.01;  // large, so that leaving it out shows

double mean_of(const Array& x, std::size_t i) {
  double sum = 0;
  for (std::size_t j = 0; j < x.cols; ++j) sum += x(i, j);
  return sum / static_cast<double>(x.cols);
}

double variance_of(const Array& x, std::size_t i, double centre) {
  double sum = 0;
  for (std::size_t j = 0; j < x.cols; ++j) sum += (x(i, j) - centre) * (x(i, j) - centre);
  return sum / static_cast<double>(x.cols);
}

Array rms_norm(const Array& x, const Array& weight) {
  Array out = x;
  for (std::size_t i = 0; i < x.rows; ++i)
    for (std::size_t j = 0; j < x.cols; ++j)
      out(i, j) = weight(0, j) * x(i, j) / std::sqrt(variance_of(x, i, 0) + epsilon);
  return out;
}

Array layer_norm(const Array& x, const Array& weight, const Array& bias) {
  Array out = x;
  for (std::size_t i = 0; i < x.rows; ++i) {
    const double mean = mean_of(x, i);
    for (std::size_t j = 0; j < x.cols; ++j)
      out(i, j) = weight(0, j) * (x(i, j) - mean) / std::sqrt(variance_of(x, i, mean) + epsilon) + bias(0, j);
  }
  return out;
}

Array sum(Array a, const Array& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values[i];
  return a;
}

const std::vector<std::pair<std::size_t, std::size_t>> small_shapes = {{1, 1}, {2, 7}, {3, 40}, {5, 65}};

}  // namespace

BACKEND_TEST("rms_norm_forward") {
  Random random(31);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array x = random.array(rows, cols, -3, 3);
    const Array weight = random.array(1, cols);
    Placed<float> out(on, Array(rows, cols, NAN), 1);
    Placed<float> inverse(on, Array(1, rows, NAN));
    on.rms_norm_forward(Placed<float>(on, x, 2), Placed<float>(on, weight), static_cast<float>(epsilon), out, inverse);
    CHECK_CLOSE(out.read(), rms_norm(x, weight), 1e-6, 1e-7);
    Array expected(1, rows);
    for (std::size_t i = 0; i < rows; ++i) expected(0, i) = 1 / std::sqrt(variance_of(x, i, 0) + epsilon);
    if (cols != 0) CHECK_CLOSE(inverse.read(), expected, 1e-6, 0);
  }
}

BACKEND_TEST("rms_norm_backward adds the gradient") {
  Random random(32);
  for (const auto& [rows, cols] : small_shapes) {
    const Array x = random.array(rows, cols, -3, 3);
    const Array weight = random.array(1, cols);
    const Array out_gradient = random.array(rows, cols);
    const Array before = random.array(rows, cols);
    Placed<float> placed_x(on, x, 1);
    Placed<float> placed_weight(on, weight);
    Placed<float> out(on, x);
    Placed<float> inverse(on, Array(1, rows));
    Placed<float> gradient(on, before, 2);
    on.rms_norm_forward(placed_x, placed_weight, static_cast<float>(epsilon), out, inverse);
    on.rms_norm_backward(Placed<float>(on, out_gradient, 3), placed_x, placed_weight, inverse, gradient);
    const Array expected = finite_differences([&](const Array& at) { return rms_norm(at, weight); }, x, out_gradient);
    CHECK_CLOSE(gradient.read(), sum(before, expected), 1e-5, 1e-5);
  }
}

BACKEND_TEST("layer_norm_forward, a large mean included") {
  Random random(33);
  for (const auto& [rows, cols] : edge_shapes)
    for (const double offset : {0.0, 1000.0}) {
      const Array x = random.array(rows, cols, offset - 3, offset + 3);
      const Array weight = random.array(1, cols);
      const Array bias = random.array(1, cols);
      Placed<float> out(on, Array(rows, cols, NAN), 1);
      Placed<float> mean(on, Array(1, rows, NAN));
      Placed<float> inverse(on, Array(1, rows, NAN));
      on.layer_norm_forward(Placed<float>(on, x, 2), Placed<float>(on, weight), Placed<float>(on, bias),
                            static_cast<float>(epsilon), out, mean, inverse);
      // The mean itself is rounded to float32.
      CHECK_CLOSE(out.read(), layer_norm(x, weight, bias), 1e-5, offset == 0 ? 1e-6 : 5e-4);
    }
}

BACKEND_TEST("layer_norm_backward adds the gradient") {
  Random random(34);
  for (const auto& [rows, cols] : small_shapes) {
    const Array x = random.array(rows, cols, -2, 3);
    const Array weight = random.array(1, cols);
    const Array bias = random.array(1, cols);
    const Array out_gradient = random.array(rows, cols);
    const Array before = random.array(rows, cols);
    Placed<float> placed_x(on, x, 1);
    Placed<float> placed_weight(on, weight);
    Placed<float> out(on, x);
    Placed<float> mean(on, Array(1, rows));
    Placed<float> inverse(on, Array(1, rows));
    Placed<float> gradient(on, before, 2);
    on.layer_norm_forward(placed_x, placed_weight, Placed<float>(on, bias), static_cast<float>(epsilon), out, mean,
                          inverse);
    on.layer_norm_backward(Placed<float>(on, out_gradient, 3), placed_x, placed_weight, mean, inverse, gradient);
    const Array expected =
        finite_differences([&](const Array& at) { return layer_norm(at, weight, bias); }, x, out_gradient);
    CHECK_CLOSE(gradient.read(), sum(before, expected), 1e-5, 1e-5);
  }
}
