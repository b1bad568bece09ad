#include <cmath>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/vector_target.h"
#include "backend/cpu/widen.h"

namespace lyaplock::cpu {

namespace {

LYAPLOCK_VECTORISED void widen(std::size_t n, const float* LYAPLOCK_RESTRICT x, double* LYAPLOCK_RESTRICT y) {
  for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<double>(x[i]);
}

LYAPLOCK_VECTORISED void narrow(std::size_t n, const double* LYAPLOCK_RESTRICT x, float* LYAPLOCK_RESTRICT y) {
  for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

LYAPLOCK_VECTORISED void add_multiple(std::size_t n, float alpha, const float* LYAPLOCK_RESTRICT x,
                                      float* LYAPLOCK_RESTRICT y) {
  for (std::size_t i = 0; i < n; ++i) y[i] += alpha * x[i];
}

LYAPLOCK_VECTORISED void add_multiple(std::size_t n, double alpha, const double* LYAPLOCK_RESTRICT x,
                                      double* LYAPLOCK_RESTRICT y) {
  for (std::size_t i = 0; i < n; ++i) y[i] += alpha * x[i];
}

// In place allowed: y may be base.
LYAPLOCK_VECTORISED void round_sum(std::size_t n, const float* base, const double* LYAPLOCK_RESTRICT drift, float* y) {
  LYAPLOCK_IN_PLACE
  for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(static_cast<double>(base[i]) + drift[i]);
}

LYAPLOCK_VECTORISED void multiply_by(std::size_t n, const double* LYAPLOCK_RESTRICT factors,
                                     double* LYAPLOCK_RESTRICT x) {
  for (std::size_t i = 0; i < n; ++i) x[i] *= factors[i];
}

// In place allowed: out may be delta.
LYAPLOCK_VECTORISED void divide_absolutely(std::size_t n, double epsilon, const double* delta,
                                           const double* LYAPLOCK_RESTRICT weight, double* out) {
  LYAPLOCK_IN_PLACE
  for (std::size_t i = 0; i < n; ++i) out[i] = std::abs(delta[i] / (weight[i] + epsilon));
}

LYAPLOCK_VECTORISED void zero_below(std::size_t n, double threshold, const double* LYAPLOCK_RESTRICT ratio,
                                    double* LYAPLOCK_RESTRICT x) {
  for (std::size_t i = 0; i < n; ++i) x[i] = ratio[i] < threshold ? 0.0 : x[i];
}

template <class T>
void fill_with(ThreadPool& pool, T value, MatrixView<T> x) {
  over_elements(pool, cheap_grain, [value](std::size_t n, T* to) { std::fill_n(to, n, value); }, x);
}

template <class T>
void copy_to(ThreadPool& pool, ConstMatrixView<T> x, MatrixView<T> y) {
  over_elements(
      pool, cheap_grain, [](std::size_t n, const T* from, T* to) { std::memcpy(to, from, n * sizeof(T)); }, x, y);
}

template <class T>
void add_multiple_of(ThreadPool& pool, T alpha, ConstMatrixView<T> x, MatrixView<T> y) {
  over_elements(
      pool, cheap_grain, [alpha](std::size_t n, const T* from, T* to) { add_multiple(n, alpha, from, to); }, x, y);
}

}  // namespace

void CpuBackend::fill(float value, MatrixView<float> x) { fill_with(pool_, value, x); }
void CpuBackend::fill(double value, MatrixView<double> x) { fill_with(pool_, value, x); }

void CpuBackend::copy(ConstMatrixView<float> x, MatrixView<float> y) { copy_to(pool_, x, y); }
void CpuBackend::copy(ConstMatrixView<double> x, MatrixView<double> y) { copy_to(pool_, x, y); }

void CpuBackend::convert(ConstMatrixView<float> x, MatrixView<double> y) {
  over_elements(pool_, cheap_grain, widen, x, y);
}
void CpuBackend::convert(ConstMatrixView<double> x, MatrixView<float> y) {
  over_elements(pool_, cheap_grain, narrow, x, y);
}

void CpuBackend::convert(ConstMatrixView<Bfloat16> x, MatrixView<float> y) {
  over_elements(
      pool_, cheap_grain, [](std::size_t n, const Bfloat16* from, float* to) { to_float32(n, from, to); }, x, y);
}

void CpuBackend::add_scaled(float alpha, ConstMatrixView<float> x, MatrixView<float> y) {
  add_multiple_of(pool_, alpha, x, y);
}
void CpuBackend::add_scaled(double alpha, ConstMatrixView<double> x, MatrixView<double> y) {
  add_multiple_of(pool_, alpha, x, y);
}

void CpuBackend::add_rounded(ConstMatrixView<float> base, ConstMatrixView<double> drift, MatrixView<float> y) {
  over_elements(pool_, cheap_grain, round_sum, base, drift, y);
}

void CpuBackend::add_bias(ConstMatrixView<float> bias, MatrixView<float> x) {
  over_rows(pool_, x.rows, x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) add_multiple(x.cols, 1.0F, bias.data, x.row(i));
  });
}

void CpuBackend::scale_columns(ConstMatrixView<double> weights, MatrixView<double> x) {
  over_rows(pool_, x.rows, x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) multiply_by(x.cols, weights.data, x.row(i));
  });
}

void CpuBackend::relative_change(ConstMatrixView<double> delta, ConstMatrixView<double> weight, double epsilon,
                                 MatrixView<double> out) {
  over_elements(
      pool_, cheap_grain,
      [epsilon](std::size_t n, const double* from, const double* by, double* to) {
        divide_absolutely(n, epsilon, from, by, to);
      },
      delta, weight, out);
}

void CpuBackend::keep_at_least(ConstMatrixView<double> ratio, double threshold, MatrixView<double> x) {
  over_elements(
      pool_, cheap_grain,
      [threshold](std::size_t n, const double* from, double* to) { zero_below(n, threshold, from, to); }, ratio, x);
}

}  // namespace lyaplock::cpu
