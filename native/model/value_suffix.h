// The part of a forward and backward pass that depends on δ.
#pragma once

#include "model/layers_above.h"
#include "model/value_prompts.h"

namespace lyaplock {

/// The layers above the optimised block, over the tokens from the lookup positions on. What does not depend on δ (the
/// layers below, keys and values of earlier tokens) is computed once, in the constructor.
class ValueSuffix {
 public:
  ValueSuffix(Transformer& model, const ValuePrompts& prompts, const ValueOptions& options,
              const Cancellation& cancellation);

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

  void run_below(const ValuePrompts& prompts, const ValueOptions& options, const Cancellation& cancellation);
  void read_divergence(Losses& losses, float kl_factor);

  Transformer& model_;
  std::size_t facts_;
  std::vector<Sequence> sequences_;
  LayersAbove above_;
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
};

}  // namespace lyaplock
