#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/softmax.h"

namespace lyaplock::cpu {

namespace {

LYAPLOCK_VECTORISED void log_softmax_row(std::size_t n, const float* LYAPLOCK_RESTRICT logits,
                                         float* LYAPLOCK_RESTRICT out) {
  const Normaliser normaliser = normaliser_of(logits, n);
  const float log_sum = static_cast<float>(normaliser.log_sum);
  for (std::size_t j = 0; j < n; ++j) out[j] = (logits[j] - normaliser.largest) - log_sum;
}

/// Returns the loss and leaves the gradient in `logits`.
LYAPLOCK_VECTORISED float cross_entropy_row(std::size_t n, std::size_t target, float weight, float* logits) {
  const float largest = maximum_of(logits, n);
  const double above_target = static_cast<double>(largest) - static_cast<double>(logits[target]);
  // The exponentials stay where the logits were, to be scaled to probabilities.
  const double sum = sum_over(n, [=](std::size_t j) { return logits[j] = exponential(logits[j] - largest); });
  const float scale = static_cast<float>(static_cast<double>(weight) / sum);
  for (std::size_t j = 0; j < n; ++j) logits[j] *= scale;
  logits[target] -= weight;
  return static_cast<float>(std::log(sum) + above_target);
}

/// p (log p - log q), with 0 (log 0 - anything) = 0.
LYAPLOCK_INLINE float divergence_term(float log_p, float log_q) {
  const float p = exponential(log_p);
  return p == 0.0F ? 0.0F : p * (log_p - log_q);
}

/// Returns KL(p ‖ q) and leaves its gradient, weight p (log p - log q - KL), in `logits`.
LYAPLOCK_VECTORISED float kullback_leibler_row(std::size_t n, const float* LYAPLOCK_RESTRICT reference, float weight,
                                               float* LYAPLOCK_RESTRICT logits) {
  const Normaliser normaliser = normaliser_of(logits, n);
  const float largest = normaliser.largest;
  const float log_sum = static_cast<float>(normaliser.log_sum);
  const double divergence =
      sum_over(n, [=](std::size_t j) { return divergence_term((logits[j] - largest) - log_sum, reference[j]); });
  const float expected = static_cast<float>(divergence);
  for (std::size_t j = 0; j < n; ++j) {
    const float log_p = (logits[j] - largest) - log_sum;
    logits[j] = weight * (divergence_term(log_p, reference[j]) - exponential(log_p) * expected);
  }
  return expected;
}

}  // namespace

void CpuBackend::log_softmax(ConstMatrixView<float> logits, MatrixView<float> log_probabilities) {
  over_rows(pool_, logits.rows, logits.cols, costly_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) log_softmax_row(logits.cols, logits.row(i), log_probabilities.row(i));
  });
}

void CpuBackend::cross_entropy(std::span<const std::int32_t> targets, std::span<const float> weights,
                               MatrixView<float> logits, MatrixView<float> losses) {
  over_rows(pool_, logits.rows, logits.cols, costly_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      losses(0, i) = cross_entropy_row(logits.cols, static_cast<std::size_t>(targets[i]), weights[i], logits.row(i));
  });
}

void CpuBackend::kullback_leibler(ConstMatrixView<float> reference, std::span<const float> weights,
                                  MatrixView<float> logits, MatrixView<float> divergences) {
  over_rows(pool_, logits.rows, logits.cols, costly_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      divergences(0, i) = kullback_leibler_row(logits.cols, reference.row(i), weights[i], logits.row(i));
  });
}

}  // namespace lyaplock::cpu
