#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/sums.h"

namespace lyaplock::cpu {

namespace {

/// Returns 1 / sqrt(mean(x²) + epsilon).
LYAPLOCK_VECTORISED float rms_norm_row(std::size_t m, const float* LYAPLOCK_RESTRICT x,
                                       const float* LYAPLOCK_RESTRICT weight, float epsilon,
                                       float* LYAPLOCK_RESTRICT out) {
  const double mean_square = sum_over(m, [x](std::size_t j) { return x[j] * x[j]; }) / static_cast<double>(m);
  const float inverse = static_cast<float>(1.0 / std::sqrt(mean_square + static_cast<double>(epsilon)));
  for (std::size_t j = 0; j < m; ++j) out[j] = weight[j] * (x[j] * inverse);
  return inverse;
}

/// With g = weight * out_gradient and r the inverse rms: x_gradient += r (g - x r² mean(g x)).
LYAPLOCK_VECTORISED void rms_norm_row_backward(std::size_t m, const float* LYAPLOCK_RESTRICT out_gradient,
                                               const float* LYAPLOCK_RESTRICT x, const float* LYAPLOCK_RESTRICT weight,
                                               float inverse, float* LYAPLOCK_RESTRICT x_gradient) {
  const double mean =
      sum_over(m, [=](std::size_t j) { return out_gradient[j] * weight[j] * x[j]; }) / static_cast<double>(m);
  const float pull = static_cast<float>(mean) * inverse * inverse;
  for (std::size_t j = 0; j < m; ++j) x_gradient[j] += inverse * (out_gradient[j] * weight[j] - x[j] * pull);
}

struct MeanAndInverseDeviation {
  float mean;
  float inverse;
};

LYAPLOCK_VECTORISED MeanAndInverseDeviation layer_norm_row(std::size_t m, const float* LYAPLOCK_RESTRICT x,
                                                           const float* LYAPLOCK_RESTRICT weight,
                                                           const float* LYAPLOCK_RESTRICT bias, float epsilon,
                                                           float* LYAPLOCK_RESTRICT out) {
  const double width = static_cast<double>(m);
  const float mean = static_cast<float>(sum_over(m, [x](std::size_t j) { return x[j]; }) / width);
  // Two passes: the mean of squares less the square of the mean cancels where the mean is large.
  const double variance = sum_over(m, [=](std::size_t j) { return (x[j] - mean) * (x[j] - mean); }) / width;
  const float inverse = static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(epsilon)));
  for (std::size_t j = 0; j < m; ++j) out[j] = weight[j] * ((x[j] - mean) * inverse) + bias[j];
  return {mean, inverse};
}

/// With g = weight * out_gradient, y the normalised x and r the inverse deviation:
/// x_gradient += r (g - mean(g) - y mean(g y)).
LYAPLOCK_VECTORISED void layer_norm_row_backward(std::size_t m, const float* LYAPLOCK_RESTRICT out_gradient,
                                                 const float* LYAPLOCK_RESTRICT x,
                                                 const float* LYAPLOCK_RESTRICT weight, float mean, float inverse,
                                                 float* LYAPLOCK_RESTRICT x_gradient) {
  const double width = static_cast<double>(m);
  const float push =
      static_cast<float>(sum_over(m, [=](std::size_t j) { return out_gradient[j] * weight[j]; }) / width);
  const float pull = static_cast<float>(
      sum_over(m, [=](std::size_t j) { return out_gradient[j] * weight[j] * ((x[j] - mean) * inverse); }) / width);
  for (std::size_t j = 0; j < m; ++j)
    x_gradient[j] += inverse * (out_gradient[j] * weight[j] - push - (x[j] - mean) * inverse * pull);
}

}  // namespace

void CpuBackend::rms_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight, float epsilon,
                                  MatrixView<float> out, MatrixView<float> inverse_rms) {
  over_rows(pool_, x.rows, x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      inverse_rms(0, i) = rms_norm_row(x.cols, x.row(i), weight.data, epsilon, out.row(i));
  });
}

void CpuBackend::rms_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                   ConstMatrixView<float> weight, ConstMatrixView<float> inverse_rms,
                                   MatrixView<float> x_gradient) {
  over_rows(pool_, x.rows, x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      rms_norm_row_backward(x.cols, out_gradient.row(i), x.row(i), weight.data, inverse_rms(0, i), x_gradient.row(i));
  });
}

void CpuBackend::layer_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight,
                                    ConstMatrixView<float> bias, float epsilon, MatrixView<float> out,
                                    MatrixView<float> mean, MatrixView<float> inverse_deviation) {
  over_rows(pool_, x.rows, x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto of_row = layer_norm_row(x.cols, x.row(i), weight.data, bias.data, epsilon, out.row(i));
      mean(0, i) = of_row.mean;
      inverse_deviation(0, i) = of_row.inverse;
    }
  });
}

void CpuBackend::layer_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                     ConstMatrixView<float> weight, ConstMatrixView<float> mean,
                                     ConstMatrixView<float> inverse_deviation, MatrixView<float> x_gradient) {
  over_rows(pool_, x.rows, x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      layer_norm_row_backward(x.cols, out_gradient.row(i), x.row(i), weight.data, mean(0, i), inverse_deviation(0, i),
                              x_gradient.row(i));
  });
}

}  // namespace lyaplock::cpu
