// What is read off a distribution: how likely a token is, and which are the likeliest.
#include <algorithm>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/softmax.h"

namespace lyaplock::cpu {

namespace {

struct Candidate {
  float logit;
  std::int32_t id;
};

/// A larger logit ranks first; of equal ones, the lower id. NaN is passed over: the probabilities say it is there.
bool ranks_before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (!(b.logit > a.logit) && a.id < b.id);
}

LYAPLOCK_VECTORISED Normaliser normaliser_of_row(std::size_t n, const float* logits) {
  return normaliser_of(logits, n);
}

/// The first index in [begin, n) whose logit is larger than `bound`, n if there is none.
LYAPLOCK_VECTORISED std::size_t find_larger(std::size_t begin, std::size_t n, const float* logits, float bound) {
  constexpr std::size_t block = 64;
  std::size_t i = begin;
  for (; i + block <= n; i += block) {
    int larger = 0;
    for (std::size_t j = 0; j < block; ++j) larger |= logits[i + j] > bound ? 1 : 0;
    if (larger != 0) break;
  }
  while (i < n && !(logits[i] > bound)) ++i;
  return i;
}

/// The first index of the largest logit; 0 if all are NaN or -inf.
std::int32_t first_largest(std::size_t n, const float* logits, float largest) {
  // Just below `largest` lies no other float32: what is larger than that equals it.
  const std::size_t found = find_larger(0, n, logits, std::nextafter(largest, -std::numeric_limits<float>::infinity()));
  return static_cast<std::int32_t>(found < n ? found : 0);
}

/// Fills `best` with the k highest ranked, best first.
void select_best(std::size_t n, const float* logits, std::size_t k, std::vector<Candidate>& best) {
  const auto logit_of = [logits](std::size_t id) {
    return std::isnan(logits[id]) ? -std::numeric_limits<float>::infinity() : logits[id];
  };
  best.clear();
  for (std::size_t id = 0; id < k; ++id) best.push_back({logit_of(id), static_cast<std::int32_t>(id)});
  // A heap whose front ranks last. Ids come rising, so a logit equal to the front's never replaces it.
  std::make_heap(best.begin(), best.end(), ranks_before);
  for (std::size_t id = find_larger(k, n, logits, best.front().logit); id < n;
       id = find_larger(id + 1, n, logits, best.front().logit)) {
    std::pop_heap(best.begin(), best.end(), ranks_before);
    best.back() = {logits[id], static_cast<std::int32_t>(id)};
    std::push_heap(best.begin(), best.end(), ranks_before);
  }
  std::sort_heap(best.begin(), best.end(), ranks_before);
}

}  // namespace

void CpuBackend::score(ConstMatrixView<float> logits, std::span<const std::int32_t> rows,
                       std::span<const std::int32_t> targets, MatrixView<float> losses,
                       std::span<std::int32_t> greedy) {
  over_rows(pool_, rows.size(), logits.cols, costly_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t j = begin; j < end; ++j) {
      const float* row = logits.row(static_cast<std::size_t>(rows[j]));
      const Normaliser normaliser = normaliser_of_row(logits.cols, row);
      losses(0, j) = -normaliser.log_probability(row[targets[j]]);
      greedy[j] = first_largest(logits.cols, row, normaliser.largest);
    }
  });
}

void CpuBackend::top_k(ConstMatrixView<float> logits, std::size_t k, std::span<float> probabilities,
                       std::span<std::int32_t> ids) {
  if (k == 0) return;
  over_rows(pool_, logits.rows, logits.cols, costly_grain, [&](std::size_t begin, std::size_t end) {
    std::vector<Candidate> best;
    best.reserve(k);
    for (std::size_t i = begin; i < end; ++i) {
      const float* row = logits.row(i);
      const Normaliser normaliser = normaliser_of_row(logits.cols, row);
      select_best(logits.cols, row, k, best);
      for (std::size_t rank = 0; rank < k; ++rank) {
        probabilities[i * k + rank] = std::exp(normaliser.log_probability(best[rank].logit));
        ids[i * k + rank] = best[rank].id;
      }
    }
  });
}

}  // namespace lyaplock::cpu
