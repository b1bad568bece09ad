// Whole forward passes: logits, scores, keys.
#pragma once

#include <functional>

#include "model/transformer.h"

namespace lyaplock {

/// Logits [rows, vocabulary] after chosen tokens: `rows` are indices into batch.tokens, any order.
Matrix<float> logits_of(Transformer& model, const TokenBatch& batch, std::span<const std::int32_t> rows,
                        const Cancellation& cancellation);

struct Scores {
  std::vector<float> losses;         // -log p(target)
  std::vector<std::int32_t> greedy;  // the most probable token instead
};
/// For query j: how probable targets[j] is after token rows[j] of the batch. Rows may repeat.
Scores score(Transformer& model, const TokenBatch& batch, std::span<const std::int32_t> rows,
             std::span<const std::int32_t> targets, const Cancellation& cancellation);

/// Calls `take(i, keys)` with the down-projection's input [tokens, d] at layers[i], rising, for every token of the
/// batch; stops above the last of them. The keys are valid during the call.
void for_each_key(Transformer& model, const TokenBatch& batch, std::span<const std::size_t> layers,
                  const std::function<void(std::size_t, ConstMatrixView<float>)>& take,
                  const Cancellation& cancellation);

/// How many rows of logits are made at a time: 256 MiB of them.
std::size_t logits_rows_at_once(const ModelDescription& model);

}  // namespace lyaplock
