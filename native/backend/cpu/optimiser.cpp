#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/sums.h"

namespace lyaplock::cpu {

namespace {

/// What is one number for all elements of a step.
struct AdamStep {
  float beta1;
  float beta2;
  float epsilon;
  float step_size;                // learning rate / (1 - beta1^step)
  float root_of_bias_correction;  // sqrt(1 - beta2^step)
};

AdamStep step_of(const Adam& adam) {
  const double correction1 = 1.0 - std::pow(static_cast<double>(adam.beta1), adam.step);
  const double correction2 = 1.0 - std::pow(static_cast<double>(adam.beta2), adam.step);
  return {adam.beta1, adam.beta2, adam.epsilon,
          static_cast<float>(static_cast<double>(adam.learning_rate) / correction1),
          static_cast<float>(std::sqrt(correction2))};
}

LYAPLOCK_VECTORISED void adam_row(std::size_t m, const AdamStep& step, const float* LYAPLOCK_RESTRICT gradient,
                                  float* LYAPLOCK_RESTRICT first_moment, float* LYAPLOCK_RESTRICT second_moment,
                                  float* LYAPLOCK_RESTRICT x) {
  const AdamStep s = step;
  for (std::size_t j = 0; j < m; ++j) {
    const float g = gradient[j];
    first_moment[j] += (1.0F - s.beta1) * (g - first_moment[j]);
    second_moment[j] = s.beta2 * second_moment[j] + (1.0F - s.beta2) * g * g;
    x[j] -= s.step_size * first_moment[j] / (std::sqrt(second_moment[j]) / s.root_of_bias_correction + s.epsilon);
  }
}

LYAPLOCK_VECTORISED void clamp_row(std::size_t m, float limit, float* x) {
  const double norm = std::sqrt(sum_over(m, [x](std::size_t j) { return x[j] * x[j]; }));
  if (!(norm > static_cast<double>(limit))) return;
  const float scale = static_cast<float>(static_cast<double>(limit) / norm);
  for (std::size_t j = 0; j < m; ++j) x[j] *= scale;
}

LYAPLOCK_VECTORISED void clamp_elements(std::size_t n, float radius, const float* LYAPLOCK_RESTRICT center,
                                        float* LYAPLOCK_RESTRICT x) {
  for (std::size_t i = 0; i < n; ++i) {
    const float low = center[i] - radius, high = center[i] + radius;
    x[i] = x[i] < low ? low : x[i] > high ? high : x[i];
  }
}

}  // namespace

void CpuBackend::adam_update(const Adam& adam, std::span<const std::int32_t> rows, ConstMatrixView<float> gradient,
                             MatrixView<float> first_moment, MatrixView<float> second_moment, MatrixView<float> x) {
  const AdamStep step = step_of(adam);
  over_rows(pool_, rows.size(), x.cols, costly_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto row = static_cast<std::size_t>(rows[i]);
      adam_row(x.cols, step, gradient.row(row), first_moment.row(row), second_moment.row(row), x.row(row));
    }
  });
}

void CpuBackend::clamp_row_norms(std::span<const std::int32_t> rows, ConstMatrixView<float> limits,
                                 MatrixView<float> x) {
  over_rows(pool_, rows.size(), x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto row = static_cast<std::size_t>(rows[i]);
      clamp_row(x.cols, limits(0, row), x.row(row));
    }
  });
}

void CpuBackend::clamp_around(ConstMatrixView<float> center, float radius, MatrixView<float> x) {
  over_elements(
      pool_, cheap_grain, [radius](std::size_t n, const float* c, float* to) { clamp_elements(n, radius, c, to); },
      center, x);
}

}  // namespace lyaplock::cpu
