// The gradient of a loss to one down-projection.
#pragma once

#include "model/layers_above.h"
#include "model/value_prompts.h"

namespace lyaplock {

/// One sequence for each of u facts, and what is to be predicted in it.
struct TrainingPrompts {
  TokenBatch batch;
  std::vector<Label> labels;  // every sequence has some; several may be at one position

  /// ErrorCode::invalid_argument unless the labels fit the batch and the model.
  void validate(const ModelDescription& model) const;
};

/// Loss of mini-batches of facts, the mean over facts of the mean over their labels of -log p(token), and its gradient
/// to the weight [m, d] and the bias [1, m] of one layer's down-projection.
///
/// What lies below that does not depend on them and is computed once; from there on every call goes forward and back,
/// some facts at a time so that activations take about 1 GiB at most, or what one fact needs.
class DownGradient {
 public:
  /// Mini-batches of `batch_size` facts in their order; the last one may be smaller.
  DownGradient(Transformer& model, const TrainingPrompts& prompts, std::size_t layer, std::size_t batch_size,
               const Cancellation& cancellation, double most_bytes = 1ULL << 30);

  [[nodiscard]] std::size_t batches() const { return batches_.size(); }
  /// Loss of each fact of a mini-batch; weight() and bias() then hold the gradient of their mean.
  std::vector<float> compute(std::size_t batch, const Cancellation& cancellation);
  [[nodiscard]] ConstMatrixView<float> weight() const { return weight_.view(); }
  /// Empty where the family has no bias.
  [[nodiscard]] ConstMatrixView<float> bias() const { return bias_.view(); }

 private:
  /// Facts that are computed together.
  struct Group {
    std::size_t fact_begin;
    std::size_t facts;
    std::size_t row_begin;  // in keys_ and x_
    RowLayout layout;
    std::vector<std::int32_t> reads;       // of each label: its row in the group
    std::vector<std::int32_t> tokens;      // likewise its token
    std::vector<std::size_t> label_facts;  // likewise its fact, from fact_begin
    std::vector<std::size_t> fact_labels;  // how many labels each fact has
  };

  void append_group(const TrainingPrompts& prompts, std::size_t fact_begin, std::size_t fact_end);
  void run_below(const TrainingPrompts& prompts, const Cancellation& cancellation);

  Transformer& model_;
  std::size_t layer_;
  std::vector<std::vector<Group>> batches_;
  Matrix<float> keys_;  // input of the down-projection at every token, [n, d]
  Matrix<float> x_;     // residual stream that its output is added to, [n, m]
  std::optional<LayersAbove> above_;
  Matrix<float> weight_, bias_;
};

}  // namespace lyaplock
