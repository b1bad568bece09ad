#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"

namespace lyaplock::cuda {

namespace {

/// 1 / (1 + exp(-x)).
__device__ __forceinline__ float logistic(float x) { return 1.0F / (1.0F + expf(-x)); }

// gelu(x) ~ x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x³) (Hendrycks & Gimpel 2016). Since
// (1 + tanh(u)) / 2 = logistic(2u), the two that cancel for negative u never meet.
constexpr float twice_root_two_over_pi = 1.59576912F;
constexpr float cubic = 0.044715F;

__device__ __forceinline__ float gelu_tanh(float x) {
  return x * logistic(twice_root_two_over_pi * x * (1.0F + cubic * x * x));
}

__device__ __forceinline__ float gelu_tanh_slope(float x) {
  const float square = x * x;
  const float s = logistic(twice_root_two_over_pi * x * (1.0F + cubic * square));
  const float slope = twice_root_two_over_pi * (1.0F + 3.0F * cubic * square);
  return s + x * s * (1.0F - s) * slope;
}

/// The probability of less than x, standard normal; erfc keeps the digits of the lower tail.
__device__ __forceinline__ float cumulative_normal(float x) { return 0.5F * erfcf(-0.707106781F * x); }

__device__ __forceinline__ float gelu_exact_slope(float x) {
  const float density = 0.398942280F * expf(-0.5F * x * x);
  return cumulative_normal(x) + x * density;
}

}  // namespace

void CudaBackend::swiglu_forward(ConstMatrixView<float> gate, ConstMatrixView<float> up, MatrixView<float> out) {
  over_elements(
      *stream_, "swiglu_forward",
      [] __device__(const float& x, const float& by, float& to) { to = x * logistic(x) * by; }, gate, up, out);
}

/// silu'(x) = s + x s (1 - s), with s = logistic(x).
void CudaBackend::swiglu_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> gate,
                                  ConstMatrixView<float> up, MatrixView<float> gate_gradient,
                                  MatrixView<float> up_gradient) {
  over_elements(
      *stream_, "swiglu_backward",
      [] __device__(const float& gradient, const float& gate_input, const float& up_input, float& to_gate,
                    float& to_up) {
        const float x = gate_input;  // read before it is written, in place
        const float s = logistic(x);
        const float through_gate = gradient * up_input * (s + x * s * (1.0F - s));
        to_up = gradient * x * s;
        to_gate = through_gate;
      },
      out_gradient, gate, up, gate_gradient, up_gradient);
}

void CudaBackend::gelu_forward(Gelu kind, ConstMatrixView<float> x, MatrixView<float> out) {
  if (kind == Gelu::tanh)
    over_elements(
        *stream_, "gelu_forward", [] __device__(const float& from, float& to) { to = gelu_tanh(from); }, x, out);
  else
    over_elements(
        *stream_, "gelu_forward", [] __device__(const float& from, float& to) { to = from * cumulative_normal(from); },
        x, out);
}

void CudaBackend::gelu_backward(Gelu kind, ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                MatrixView<float> x_gradient) {
  if (kind == Gelu::tanh)
    over_elements(
        *stream_, "gelu_backward",
        [] __device__(const float& gradient, const float& at, float& to) { to = gradient * gelu_tanh_slope(at); },
        out_gradient, x, x_gradient);
  else
    over_elements(
        *stream_, "gelu_backward",
        [] __device__(const float& gradient, const float& at, float& to) { to = gradient * gelu_exact_slope(at); },
        out_gradient, x, x_gradient);
}

}  // namespace lyaplock::cuda
