#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"
#include "backend/matrix.h"

namespace lyaplock::cuda {

void CudaBackend::adam_update(const Adam& adam, std::span<const std::int32_t> rows, ConstMatrixView<float> gradient,
                              MatrixView<float> first_moment, MatrixView<float> second_moment, MatrixView<float> x) {
  if (rows.empty() || x.empty()) return;
  const double correction1 = 1.0 - std::pow(static_cast<double>(adam.beta1), adam.step);
  const double correction2 = 1.0 - std::pow(static_cast<double>(adam.beta2), adam.step);
  const auto step_size = static_cast<float>(static_cast<double>(adam.learning_rate) / correction1);
  const auto root_of_bias_correction = static_cast<float>(std::sqrt(correction2));
  const Matrix<std::int32_t> on_device = lyaplock::upload(*this, rows, 1, rows.size());
  over_rows(*stream_, rows.size(),
            [=, beta1 = adam.beta1, beta2 = adam.beta2, epsilon = adam.epsilon,
             named = on_device.view()] __device__(std::size_t i) {
              const auto row = static_cast<std::size_t>(named(0, i));
              for (std::size_t j = threadIdx.x; j < x.cols; j += block_size) {
                const float g = gradient(row, j);
                const float first = first_moment(row, j) + (1.0F - beta1) * (g - first_moment(row, j));
                const float second = beta2 * second_moment(row, j) + (1.0F - beta2) * g * g;
                first_moment(row, j) = first;
                second_moment(row, j) = second;
                x(row, j) -= step_size * first / (sqrtf(second) / root_of_bias_correction + epsilon);
              }
            });
  check_launch("adam_update", x);
}

void CudaBackend::clamp_row_norms(std::span<const std::int32_t> rows, ConstMatrixView<float> limits,
                                  MatrixView<float> x) {
  if (rows.empty() || x.empty()) return;
  const Matrix<std::int32_t> on_device = lyaplock::upload(*this, rows, 1, rows.size());
  over_rows(*stream_, rows.size(), [=, named = on_device.view()] __device__(std::size_t i) {
    const auto row = static_cast<std::size_t>(named(0, i));
    float* values = x.row(row);
    const double limit = static_cast<double>(limits(0, row));
    const double norm = sqrt(sum_in_block(x.cols, [=](std::size_t j) { return values[j] * values[j]; }));
    if (!(norm > limit)) return;
    const auto scale = static_cast<float>(limit / norm);
    for (std::size_t j = threadIdx.x; j < x.cols; j += block_size) values[j] *= scale;
  });
  check_launch("clamp_row_norms", x);
}

void CudaBackend::clamp_around(ConstMatrixView<float> center, float radius, MatrixView<float> x) {
  over_elements(
      *stream_, "clamp_around",
      [radius] __device__(const float& middle, float& to) {
        const float low = middle - radius, high = middle + radius;
        to = to < low ? low : to > high ? high : to;
      },
      center, x);
}

}  // namespace lyaplock::cuda
