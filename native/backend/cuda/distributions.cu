#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/softmax.h"
#include "backend/matrix.h"

namespace lyaplock::cuda {

namespace {

/// p (log p - log q), with 0 (log 0 - anything) = 0.
__device__ __forceinline__ float divergence_term(float log_p, float log_q) {
  const float p = expf(log_p);
  return p == 0.0F ? 0.0F : p * (log_p - log_q);
}

}  // namespace

void CudaBackend::log_softmax(ConstMatrixView<float> logits, MatrixView<float> log_probabilities) {
  if (logits.empty()) return;
  over_rows(*stream_, logits.rows, [=] __device__(std::size_t i) {
    const float* row = logits.row(i);
    float* to = log_probabilities.row(i);
    const Normaliser normaliser = normaliser_of(row, logits.cols);
    for (std::size_t j = threadIdx.x; j < logits.cols; j += block_size) to[j] = normaliser.log_probability(row[j]);
  });
  check_launch("log_softmax", logits);
}

void CudaBackend::cross_entropy(std::span<const std::int32_t> targets, std::span<const float> weights,
                                MatrixView<float> logits, MatrixView<float> losses) {
  if (logits.empty()) return;
  const Matrix<std::int32_t> on_device = lyaplock::upload(*this, targets, 1, targets.size());
  const Matrix<float> weights_on_device = lyaplock::upload(*this, weights, 1, weights.size());
  over_rows(*stream_, logits.rows,
            [=, target_of = on_device.view(), weight_of = weights_on_device.view()] __device__(std::size_t i) {
              float* row = logits.row(i);
              const auto target = static_cast<std::size_t>(target_of(0, i));
              const float weight = weight_of(0, i);
              const float largest = largest_in_block(logits.cols, row);
              const double above_target = static_cast<double>(largest) - static_cast<double>(row[target]);
              // The sum has waited for all threads: row[target] has been read.
              const double sum = sum_in_block(logits.cols, [=](std::size_t j) { return expf(row[j] - largest); });
              const auto scale = static_cast<float>(static_cast<double>(weight) / sum);
              for (std::size_t j = threadIdx.x; j < logits.cols; j += block_size)
                row[j] = expf(row[j] - largest) * scale - (j == target ? weight : 0.0F);
              if (threadIdx.x == 0) losses(0, i) = static_cast<float>(log(sum) + above_target);
            });
  check_launch("cross_entropy", logits);
}

void CudaBackend::kullback_leibler(ConstMatrixView<float> reference, std::span<const float> weights,
                                   MatrixView<float> logits, MatrixView<float> divergences) {
  if (logits.empty()) return;
  const Matrix<float> weights_on_device = lyaplock::upload(*this, weights, 1, weights.size());
  over_rows(*stream_, logits.rows, [=, weight_of = weights_on_device.view()] __device__(std::size_t i) {
    float* row = logits.row(i);
    const float* log_q = reference.row(i);
    const Normaliser normaliser = normaliser_of(row, logits.cols);
    const double divergence = sum_in_block(
        logits.cols, [=](std::size_t j) { return divergence_term(normaliser.log_probability(row[j]), log_q[j]); });
    const auto expected = static_cast<float>(divergence);
    const float weight = weight_of(0, i);
    for (std::size_t j = threadIdx.x; j < logits.cols; j += block_size) {
      const float log_p = normaliser.log_probability(row[j]);
      row[j] = weight * (divergence_term(log_p, log_q[j]) - expf(log_p) * expected);
    }
    if (threadIdx.x == 0) divergences(0, i) = expected;
  });
  check_launch("kullback_leibler", reference, logits);
}

}  // namespace lyaplock::cuda
