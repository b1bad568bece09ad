#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

double silu(double x) { return x / (1 + std::exp(-x)); }

double gelu(Gelu kind, double x) {
  if (kind == Gelu::exact) return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  const double u = std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1 + std::tanh(u));
}

double derivative(const std::function<double(double)>& f, double x) { return (f(x + 1e-5) - f(x - 1e-5)) / 2e-5; }

/// Numbers around zero, and some far out.
Array inputs(Random& random, std::size_t rows, std::size_t cols) {
  Array x = random.array(rows, cols, -6, 6);
  for (std::size_t i = 0; i < x.values.size(); i += 5) x.values[i] = random.uniform(-40, 40);
  return x;
}

Array map(const Array& x, const std::function<double(double)>& f) {
  Array out = x;
  for (double& value : out.values) value = f(value);
  return out;
}

Array times(Array a, const Array& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] *= b.values[i];
  return a;
}

}  // namespace

BACKEND_TEST("swiglu_forward, also in place") {
  Random random(61);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 3}) {
      const Array gate = inputs(random, rows, cols);
      const Array up = random.array(rows, cols);
      const Array expected = times(map(gate, silu), up);
      Placed<float> placed_gate(on, gate, gap);
      Placed<float> placed_up(on, up, gap);
      Placed<float> out(on, Array(rows, cols, NAN), 2 * gap);
      on.swiglu_forward(placed_gate, placed_up, out);
      CHECK_CLOSE(out.read(), expected, 1e-6, 1e-30);
      on.swiglu_forward(placed_gate, placed_up, placed_gate);
      CHECK_SAME(placed_gate.read(), out.read());
      Placed<float> gate_again(on, gate, gap);
      on.swiglu_forward(gate_again, placed_up, placed_up);
      CHECK_SAME(placed_up.read(), out.read());
    }
}

BACKEND_TEST("swiglu_backward, also in place") {
  Random random(62);
  for (const auto& [rows, cols] : edge_shapes)
    for (const std::size_t gap : {0, 3}) {
      const Array gate = inputs(random, rows, cols);
      const Array up = random.array(rows, cols);
      const Array out_gradient = random.array(rows, cols);
      Placed<float> placed_gate(on, gate, gap);
      Placed<float> placed_up(on, up, gap);
      Placed<float> placed_gradient(on, out_gradient, gap);
      Placed<float> gate_gradient(on, Array(rows, cols, NAN), 1);
      Placed<float> up_gradient(on, Array(rows, cols, NAN), 1);
      on.swiglu_backward(placed_gradient, placed_gate, placed_up, gate_gradient, up_gradient);
      const auto slope = [](double x) { return derivative(silu, x); };
      CHECK_CLOSE(gate_gradient.read(), times(times(map(gate, slope), up), out_gradient), 1e-5, 1e-6);
      CHECK_CLOSE(up_gradient.read(), times(map(gate, silu), out_gradient), 1e-6, 1e-30);
      on.swiglu_backward(placed_gradient, placed_gate, placed_up, placed_gate, placed_up);
      CHECK_SAME(placed_gate.read(), gate_gradient.read());
      CHECK_SAME(placed_up.read(), up_gradient.read());
    }
}

BACKEND_TEST("gelu forward and backward, both kinds, also in place") {
  Random random(63);
  for (const Gelu kind : {Gelu::tanh, Gelu::exact})
    for (const auto& [rows, cols] : edge_shapes) {
      const Array x = inputs(random, rows, cols);
      const Array out_gradient = random.array(rows, cols);
      Placed<float> placed(on, x, 1);
      Placed<float> out(on, Array(rows, cols, NAN), 2);
      Placed<float> gradient(on, out_gradient, 1);
      Placed<float> x_gradient(on, Array(rows, cols, NAN), 2);
      on.gelu_forward(kind, placed, out);
      CHECK_CLOSE(out.read(), map(x, [kind](double at) { return gelu(kind, at); }), 1e-6, 5e-7);
      on.gelu_backward(kind, gradient, placed, x_gradient);
      const auto slope = [kind](double at) { return derivative([kind](double y) { return gelu(kind, y); }, at); };
      CHECK_CLOSE(x_gradient.read(), times(map(x, slope), out_gradient), 1e-5, 1e-6);
      on.gelu_backward(kind, gradient, placed, gradient);
      CHECK_SAME(gradient.read(), x_gradient.read());
      Placed<float> gradient_again(on, out_gradient, 1);
      on.gelu_backward(kind, gradient_again, placed, placed);
      CHECK_SAME(placed.read(), x_gradient.read());
    }
}

BACKEND_TEST("activations keep NaN, and far out are 0 or the identity") {
  Array x(1, 6);
  x.values = {NAN, -1e4, 1e4, -200, 200, 0};
  Array expected(1, 6);
  expected.values = {NAN, 0, 1e4, 0, 200, 0};
  Placed<float> placed(on, x);
  Placed<float> ones(on, Array(1, 6, 1));
  Placed<float> out(on, x);
  on.swiglu_forward(placed, ones, out);
  CHECK_SAME(out.read(), expected);
  for (const Gelu kind : {Gelu::tanh, Gelu::exact}) {
    on.gelu_forward(kind, placed, out);
    CHECK_SAME(out.read(), expected);
    on.gelu_backward(kind, ones, placed, out);
    Array slopes(1, 6);
    slopes.values = {NAN, 0, 1, 0, 1, 0.5};
    CHECK_SAME(out.read(), slopes);
  }
}
