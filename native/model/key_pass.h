// The keys of a batch of facts, layer by layer while the layers change.
#pragma once

#include <optional>

#include "model/transformer.h"

namespace lyaplock {

/// Sequences cut after the subject's last token: later tokens do not matter to a key.
struct KeyPrompts {
  TokenBatch batch;
  std::vector<std::int32_t> facts;  // of each sequence, 0 ... u - 1
  std::vector<float> shares;        // of each sequence in its fact's key
  std::vector<std::int32_t> bare;   // of each fact: the sequence at whose end the block's output is read, [u]

  /// ErrorCode::invalid_argument unless the lists fit one another and the model.
  void validate(const ModelDescription& model) const;
};

/// One way up through the model (reference, sections 7 and 8). It stands just below the down-projection of a layer;
/// what lies between two edited down-projections is computed once, with the weights as they are when it is passed.
class KeyPass {
 public:
  KeyPass(Transformer& model, KeyPrompts prompts);

  /// Keys [u, d] at `layer`, above the last one asked for: the shares' sum of the down-projection's inputs.
  Matrix<double> keys(std::size_t layer, const Cancellation& cancellation);
  /// Output [u, m] of block `layer` at the end of the bare prompts, going on from the layer of the last `keys`.
  [[nodiscard]] Matrix<double> outputs(std::size_t layer, const Cancellation& cancellation);

 private:
  [[nodiscard]] std::size_t facts() const { return prompts_.bare.size(); }

  Transformer& model_;
  KeyPrompts prompts_;
  RowLayout layout_;
  std::vector<std::int32_t> last_rows_;  // of each sequence
  BlockActivations activations_;         // holds the keys of every row at layer_
  Matrix<float> x_;                      // residual stream below the down-projection of layer_
  std::optional<std::size_t> layer_;
};

}  // namespace lyaplock
