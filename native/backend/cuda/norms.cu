#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"

namespace lyaplock::cuda {

void CudaBackend::rms_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight, float epsilon,
                                   MatrixView<float> out, MatrixView<float> inverse_rms) {
  if (x.empty()) return;
  over_rows(*stream_, x.rows, [=] __device__(std::size_t i) {
    const float* from = x.row(i);
    float* to = out.row(i);
    const double mean_square =
        sum_in_block(x.cols, [=](std::size_t j) { return from[j] * from[j]; }) / static_cast<double>(x.cols);
    const float inverse = static_cast<float>(1.0 / sqrt(mean_square + static_cast<double>(epsilon)));
    for (std::size_t j = threadIdx.x; j < x.cols; j += block_size) to[j] = weight.data[j] * (from[j] * inverse);
    if (threadIdx.x == 0) inverse_rms(0, i) = inverse;
  });
  check_launch("rms_norm_forward", x);
}

/// With g = weight * out_gradient and r the inverse rms: x_gradient += r (g - x r² mean(g x)).
void CudaBackend::rms_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                    ConstMatrixView<float> weight, ConstMatrixView<float> inverse_rms,
                                    MatrixView<float> x_gradient) {
  if (x.empty()) return;
  over_rows(*stream_, x.rows, [=] __device__(std::size_t i) {
    const float* gradient = out_gradient.row(i);
    const float* from = x.row(i);
    float* to = x_gradient.row(i);
    const float inverse = inverse_rms(0, i);
    const double mean = sum_in_block(x.cols, [=](std::size_t j) { return gradient[j] * weight.data[j] * from[j]; }) /
                        static_cast<double>(x.cols);
    const float pull = static_cast<float>(mean) * inverse * inverse;
    for (std::size_t j = threadIdx.x; j < x.cols; j += block_size)
      to[j] += inverse * (gradient[j] * weight.data[j] - from[j] * pull);
  });
  check_launch("rms_norm_backward", x);
}

void CudaBackend::layer_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight,
                                     ConstMatrixView<float> bias, float epsilon, MatrixView<float> out,
                                     MatrixView<float> mean, MatrixView<float> inverse_deviation) {
  if (x.empty()) return;
  over_rows(*stream_, x.rows, [=] __device__(std::size_t i) {
    const float* from = x.row(i);
    float* to = out.row(i);
    const double width = static_cast<double>(x.cols);
    const float centre = static_cast<float>(sum_in_block(x.cols, [=](std::size_t j) { return from[j]; }) / width);
    // Two passes: the mean of squares less the square of the mean cancels where the mean is large.
    const double variance =
        sum_in_block(x.cols, [=](std::size_t j) { return (from[j] - centre) * (from[j] - centre); }) / width;
    const float inverse = static_cast<float>(1.0 / sqrt(variance + static_cast<double>(epsilon)));
    for (std::size_t j = threadIdx.x; j < x.cols; j += block_size)
      to[j] = weight.data[j] * ((from[j] - centre) * inverse) + bias.data[j];
    if (threadIdx.x == 0) {
      mean(0, i) = centre;
      inverse_deviation(0, i) = inverse;
    }
  });
  check_launch("layer_norm_forward", x);
}

/// With g = weight * out_gradient, y the normalised x and r the inverse deviation:
/// x_gradient += r (g - mean(g) - y mean(g y)).
void CudaBackend::layer_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                      ConstMatrixView<float> weight, ConstMatrixView<float> mean,
                                      ConstMatrixView<float> inverse_deviation, MatrixView<float> x_gradient) {
  if (x.empty()) return;
  over_rows(*stream_, x.rows, [=] __device__(std::size_t i) {
    const float* gradient = out_gradient.row(i);
    const float* from = x.row(i);
    float* to = x_gradient.row(i);
    const float centre = mean(0, i);
    const float inverse = inverse_deviation(0, i);
    const double width = static_cast<double>(x.cols);
    const float push =
        static_cast<float>(sum_in_block(x.cols, [=](std::size_t j) { return gradient[j] * weight.data[j]; }) / width);
    const float pull = static_cast<float>(
        sum_in_block(x.cols,
                     [=](std::size_t j) { return gradient[j] * weight.data[j] * ((from[j] - centre) * inverse); }) /
        width);
    for (std::size_t j = threadIdx.x; j < x.cols; j += block_size)
      to[j] += inverse * (gradient[j] * weight.data[j] - push - (from[j] - centre) * inverse * pull);
  });
  check_launch("layer_norm_backward", x);
}

}  // namespace lyaplock::cuda
