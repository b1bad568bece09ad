// The layers above a block, from its output to what the model predicts, and gradients back to that output.
#pragma once

#include <functional>

#include "model/transformer.h"

namespace lyaplock {

/// Forward and backward passes over packed rows of one block's output. Logits are made at the rows that are read alone,
/// and so is the feed-forward part of the last layer.
class LayersAbove {
 public:
  /// With room for passes over at most `rows` rows, of which at most `reads` are read.
  LayersAbove(Transformer& model, std::size_t layer, std::size_t rows, std::size_t reads);

  /// Keeps the keys and values, in every layer above, of earlier tokens, which later passes see as their layout says.
  /// x [p, m] is the block's output there, and is overwritten.
  void keep_prefix(MatrixView<float> x, const RowLayout& layout, const Cancellation& cancellation);

  /// Where the block's output [rows, m] is to be written before each `forward`.
  MatrixView<float> input(std::size_t rows);
  /// `reads` are rows of the layout, any order, and may repeat.
  void forward(RowLayout layout, std::vector<std::int32_t> reads, const Cancellation& cancellation);
  /// Logits at the reads [begin, begin + count), some of them at a time: use(first, logits) gets those of the reads
  /// from begin + first on, and leaves the gradient of the loss in their place. Logits are too large to keep, so that
  /// each read is looked at once between `forward` and `backward`.
  void read(std::size_t begin, std::size_t count, const std::function<void(std::size_t, MatrixView<float>)>& use);
  /// -log p(tokens[i]) at the read begin + i; their sum weighed with `weights` is the loss.
  std::vector<float> cross_entropy(std::size_t begin, std::span<const std::int32_t> tokens,
                                   std::span<const float> weights);
  /// Gradient [rows, m] of the loss to the block's output, valid until the next call.
  ConstMatrixView<float> backward();

  /// Bytes of what a pass leaves for the way back, for each row.
  static double bytes_per_row(const ModelDescription& model, std::size_t layer);

 private:
  /// What is kept of one layer.
  struct Layer {
    std::size_t index;
    BlockActivations activations;
    Matrix<float> input;       // residual stream before it, [rows, m]
    Matrix<float> norm_input;  // what the feed-forward part read; in the last layer at the reads alone
    Matrix<float> prefix_key, prefix_value;
    [[nodiscard]] AttentionPrefix prefix() const { return {prefix_key.view(), prefix_value.view()}; }
  };

  Transformer& model_;
  std::vector<Layer> layers_;

  // Of the last forward pass.
  RowLayout layout_;
  std::vector<std::int32_t> reads_;

  // Scratch, with room for all rows.
  AttentionGradients gradients_;
  Matrix<float> output_, output_gradient_, normed_, normed_mean_, normed_scale_;  // at the reads
  Matrix<float> read_attention_;                                                  // likewise, or its gradient
  Matrix<float> x_gradient_;                                                      // at all rows
  Matrix<float> logits_, losses_;
};

}  // namespace lyaplock
