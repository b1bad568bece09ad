// What is read off a distribution: how likely a token is, and which are the likeliest.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/softmax.h"
#include "backend/matrix.h"

namespace lyaplock::cuda {

namespace {

struct Candidate {
  float logit;
  std::int32_t id;
};

/// A larger logit ranks first; of equal ones, the lower id.
__host__ __device__ __forceinline__ bool ranks_before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

struct First {
  __device__ __forceinline__ Candidate operator()(const Candidate& a, const Candidate& b) const {
    return ranks_before(b, a) ? b : a;
  }
};

/// NaN ranks with -inf: the probabilities say it is there.
__host__ __device__ __forceinline__ float rankable(float logit) {
  return logit != logit ? -std::numeric_limits<float>::infinity() : logit;
}

/// Of the candidates of a row that rank after `previous`, the first: what all threads of the block agree on.
__device__ __forceinline__ Candidate first_after(const float* logits, std::size_t n, const Candidate& previous) {
  Candidate best{-std::numeric_limits<float>::infinity(), std::numeric_limits<std::int32_t>::max()};
  for (std::size_t j = threadIdx.x; j < n; j += block_size) {
    const Candidate candidate{rankable(logits[j]), static_cast<std::int32_t>(j)};
    if (ranks_before(previous, candidate) && ranks_before(candidate, best)) best = candidate;
  }
  return combined_in_block(best, First());
}

/// A pass over the row for each of so many: the row stays in the second cache. Beyond, ranking it once is quicker.
constexpr std::size_t most_passes = 64;

/// The same as top_k, for many: logits and probabilities come to the host, and are ranked there.
void rank_on_host(CudaBackend& backend, cudaStream_t stream, ConstMatrixView<float> logits, std::size_t k,
                  std::span<float> probabilities, std::span<std::int32_t> ids) {
  Matrix<float> row(backend, 1, logits.cols), likely(backend, 1, logits.cols);
  std::vector<Candidate> candidates(logits.cols);
  for (std::size_t i = 0; i < logits.rows; ++i) {
    backend.copy(logits.row_range(i, 1), row);
    over_rows(stream, 1, [from = std::as_const(row).view(), to = likely.view()] __device__(std::size_t) {
      const Normaliser normaliser = normaliser_of(from.data, from.cols);
      for (std::size_t j = threadIdx.x; j < from.cols; j += block_size)
        to(0, j) = expf(normaliser.log_probability(rankable(from(0, j))));
    });
    check_launch("top_k", logits);
    const std::vector<float> logit_of = lyaplock::download<float>(backend, row.view());
    const std::vector<float> probability_of = lyaplock::download<float>(backend, likely.view());
    for (std::size_t id = 0; id < candidates.size(); ++id)
      candidates[id] = {rankable(logit_of[id]), static_cast<std::int32_t>(id)};
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(k), candidates.end(),
                      ranks_before);
    for (std::size_t rank = 0; rank < k; ++rank) {
      const std::int32_t id = candidates[rank].id;
      probabilities[i * k + rank] = probability_of[static_cast<std::size_t>(id)];
      ids[i * k + rank] = id;
    }
  }
}

/// Ranks before all candidates.
__device__ __forceinline__ Candidate before_all() { return {std::numeric_limits<float>::infinity(), -1}; }

}  // namespace

void CudaBackend::score(ConstMatrixView<float> logits, std::span<const std::int32_t> rows,
                        std::span<const std::int32_t> targets, MatrixView<float> losses,
                        std::span<std::int32_t> greedy) {
  if (rows.empty() || logits.empty()) return;
  const Matrix<std::int32_t> rows_on_device = lyaplock::upload(*this, rows, 1, rows.size());
  const Matrix<std::int32_t> targets_on_device = lyaplock::upload(*this, targets, 1, targets.size());
  Matrix<std::int32_t> greedy_on_device(*this, 1, rows.size());
  over_rows(*stream_, rows.size(),
            [=, row_of = rows_on_device.view(), target_of = targets_on_device.view(),
             greedy_of = greedy_on_device.view()] __device__(std::size_t i) {
              const float* row = logits.row(static_cast<std::size_t>(row_of(0, i)));
              const Normaliser normaliser = normaliser_of(row, logits.cols);
              const Candidate best = first_after(row, logits.cols, before_all());
              if (threadIdx.x != 0) return;
              losses(0, i) = -normaliser.log_probability(row[target_of(0, i)]);
              greedy_of(0, i) = best.id;
            });
  check_launch("score", logits);
  download(greedy.data(), greedy_on_device.view().data, greedy_on_device.bytes());
}

void CudaBackend::top_k(ConstMatrixView<float> logits, std::size_t k, std::span<float> probabilities,
                        std::span<std::int32_t> ids) {
  if (k == 0 || logits.empty()) return;
  if (k > most_passes) return rank_on_host(*this, *stream_, logits, k, probabilities, ids);
  Matrix<float> probabilities_on_device(*this, logits.rows, k);
  Matrix<std::int32_t> ids_on_device(*this, logits.rows, k);
  over_rows(
      *stream_, logits.rows,
      [=, probability_of = probabilities_on_device.view(), id_of = ids_on_device.view()] __device__(std::size_t i) {
        const float* row = logits.row(i);
        const Normaliser normaliser = normaliser_of(row, logits.cols);
        Candidate last = before_all();
        for (std::size_t rank = 0; rank < k; ++rank) {
          last = first_after(row, logits.cols, last);
          if (threadIdx.x != 0) continue;
          probability_of(i, rank) = expf(normaliser.log_probability(last.logit));
          id_of(i, rank) = last.id;
        }
      });
  check_launch("top_k", logits);
  download(probabilities.data(), probabilities_on_device.view().data, probabilities_on_device.bytes());
  download(ids.data(), ids_on_device.view().data, ids_on_device.bytes());
}

}  // namespace lyaplock::cuda
