#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/vector_math.h"

namespace lyaplock::cpu {

namespace {

// Pointers here may be equal ("in place"): each element is read before it is written.

LYAPLOCK_VECTORISED void swiglu(std::size_t n, const float* gate, const float* up, float* out) {
  LYAPLOCK_IN_PLACE
  for (std::size_t i = 0; i < n; ++i) out[i] = gate[i] * logistic(gate[i]) * up[i];
}

/// silu'(x) = s + x s (1 - s), with s = logistic(x).
LYAPLOCK_VECTORISED void swiglu_gradient(std::size_t n, const float* out_gradient, const float* gate, const float* up,
                                         float* gate_gradient, float* up_gradient) {
  LYAPLOCK_IN_PLACE
  for (std::size_t i = 0; i < n; ++i) {
    const float x = gate[i];
    const float s = logistic(x);
    const float gradient = out_gradient[i];
    const float through_gate = gradient * up[i] * (s + x * s * (1.0F - s));
    up_gradient[i] = gradient * x * s;
    gate_gradient[i] = through_gate;
  }
}

// gelu(x) ~ x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x³) (Hendrycks & Gimpel 2016). Since
// (1 + tanh(u)) / 2 = logistic(2u), the two that cancel for negative u never meet.
constexpr float twice_root_two_over_pi = 1.59576912F;
constexpr float cubic = 0.044715F;

LYAPLOCK_VECTORISED void gelu_tanh(std::size_t n, const float* x, float* out) {
  LYAPLOCK_IN_PLACE
  for (std::size_t i = 0; i < n; ++i)
    out[i] = x[i] * logistic(twice_root_two_over_pi * x[i] * (1.0F + cubic * x[i] * x[i]));
}

LYAPLOCK_VECTORISED void gelu_tanh_gradient(std::size_t n, const float* out_gradient, const float* x,
                                            float* x_gradient) {
  LYAPLOCK_IN_PLACE
  for (std::size_t i = 0; i < n; ++i) {
    const float square = x[i] * x[i];
    const float s = logistic(twice_root_two_over_pi * x[i] * (1.0F + cubic * square));
    const float slope = twice_root_two_over_pi * (1.0F + 3.0F * cubic * square);
    x_gradient[i] = out_gradient[i] * (s + x[i] * s * (1.0F - s) * slope);
  }
}

LYAPLOCK_VECTORISED void gelu_exact(std::size_t n, const float* x, float* out) {
  LYAPLOCK_IN_PLACE
  for (std::size_t i = 0; i < n; ++i) out[i] = x[i] * normal_distribution(x[i]).cumulative;
}

LYAPLOCK_VECTORISED void gelu_exact_gradient(std::size_t n, const float* out_gradient, const float* x,
                                             float* x_gradient) {
  LYAPLOCK_IN_PLACE
  for (std::size_t i = 0; i < n; ++i) {
    const NormalDistribution normal = normal_distribution(x[i]);
    x_gradient[i] = out_gradient[i] * (normal.cumulative + x[i] * normal.density);
  }
}

}  // namespace

void CpuBackend::swiglu_forward(ConstMatrixView<float> gate, ConstMatrixView<float> up, MatrixView<float> out) {
  over_elements(pool_, costly_grain, swiglu, gate, up, out);
}

void CpuBackend::swiglu_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> gate,
                                 ConstMatrixView<float> up, MatrixView<float> gate_gradient,
                                 MatrixView<float> up_gradient) {
  over_elements(pool_, costly_grain, swiglu_gradient, out_gradient, gate, up, gate_gradient, up_gradient);
}

void CpuBackend::gelu_forward(Gelu kind, ConstMatrixView<float> x, MatrixView<float> out) {
  over_elements(pool_, costly_grain, kind == Gelu::tanh ? gelu_tanh : gelu_exact, x, out);
}

void CpuBackend::gelu_backward(Gelu kind, ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                               MatrixView<float> x_gradient) {
  over_elements(pool_, costly_grain, kind == Gelu::tanh ? gelu_tanh_gradient : gelu_exact_gradient, out_gradient, x,
                x_gradient);
}

}  // namespace lyaplock::cpu
