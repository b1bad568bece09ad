// The part of a forward and backward pass that depends on δ.
#pragma once

#include "model/transformer.h"
#include "model/value_prompts.h"

namespace lyaplock {

/// The layers above the optimised block, over the tokens from the lookup positions on. What does not depend on δ (the
/// layers below, keys and values of earlier tokens) is computed once, in the constructor.
class ValueSuffix {
 public:
  ValueSuffix(Transformer& model, const ValuePrompts& prompts, std::size_t layer, const Cancellation& cancellation);

  /// h0 of every fact, [u, m].
  [[nodiscard]] ConstMatrixView<float> initial() const { return initial_.view(); }

  /// Goes on with these facts alone, rising.
  void arrange(const std::vector<std::int32_t>& facts);

  struct Losses {
    std::vector<float> likelihood;  // [u], of arranged facts
    std::vector<float> divergence;  // [u], not yet weighed
  };
  /// Losses with delta [u, m] added at the lookups. The first call takes the distribution it finds at the KL prompts as
  /// the initial one.
  Losses forward(ConstMatrixView<float> delta, float kl_factor, const Cancellation& cancellation);
  /// Gradient [u, m] to δ of likelihood + kl_factor * divergence at the last `forward`; zero for facts not arranged.
  void backward(MatrixView<float> delta_gradient);

 private:
  /// One sequence, cut after what is read of it.
  struct Sequence {
    std::int32_t fact;
    std::size_t lookup;
    std::size_t suffix_rows;   // from the lookup on
    std::size_t suffix_begin;  // in base_
    std::size_t prefix_begin;  // in prefix keys and values, `lookup` rows
    std::vector<Label> labels;
  };
  /// What is kept of one layer above.
  struct Layer {
    std::size_t index;
    BlockActivations activations;
    Matrix<float> input;       // residual stream before it, [suffix rows, m]
    Matrix<float> norm_input;  // what the feed-forward part read; in the last layer at the read rows alone
    Matrix<float> prefix_key, prefix_value;
    [[nodiscard]] AttentionPrefix prefix() const { return {prefix_key.view(), prefix_value.view()}; }
  };

  void run_below(const ValuePrompts& prompts, std::size_t layer, const Cancellation& cancellation);
  void run_prefix(MatrixView<float> x, const RowLayout& layout, const Cancellation& cancellation);
  void run_above(const Cancellation& cancellation);
  void run_above_backward();
  void read_likelihood(Losses& losses);
  void read_divergence(Losses& losses, float kl_factor);

  Transformer& model_;
  std::size_t facts_;
  std::vector<Sequence> sequences_;
  std::vector<Layer> layers_;
  Matrix<float> initial_;
  Matrix<float> base_;       // output of the block at every suffix row, without δ
  Matrix<float> reference_;  // log-probabilities at the KL prompts with δ = 0, [u, vocabulary]

  // The arrangement: rows of the facts that are still optimised.
  RowLayout layout_;
  std::vector<std::int32_t> lookup_rows_, lookup_facts_;  // where δ is added
  std::vector<std::int32_t> read_rows_;                   // where logits are read: labels first, then KL prompts
  std::vector<std::int32_t> label_tokens_, label_facts_, divergence_facts_;
  std::vector<float> label_weights_;
  Matrix<float> arranged_base_, arranged_reference_;

  // Scratch, with room for all facts.
  AttentionGradients gradients_;
  Matrix<float> output_, output_gradient_, normed_, normed_mean_, normed_scale_;  // at the read rows
  Matrix<float> read_attention_;                                                  // likewise, or its gradient
  Matrix<float> x_gradient_;                                                      // at all rows
  Matrix<float> logits_, losses_;
};

}  // namespace lyaplock
