// The parts of a transformer's forward and backward pass, written once against backend.h.
#pragma once

#include <memory>

#include "model/token_batch.h"
#include "model/weights.h"

namespace lyaplock {

/// What one block computes on the way, for at most `capacity` rows. The backward pass reads it; a forward pass that
/// needs no gradient uses one of these for all its blocks.
struct BlockActivations {
  BlockActivations(Backend& backend, const ModelDescription& model, bool gated, std::size_t capacity);

  Matrix<float> normed;              // [rows, m], input of the linear maps; scratch
  Matrix<float> attention_mean;      // [1, rows], LayerNorm alone
  Matrix<float> attention_scale;     // [1, rows], inverse rms or deviation
  Matrix<float> projected_query;     // [rows, heads * head_width], before the norms of heads; with head_norms alone
  Matrix<float> projected_key;       // [rows, key_value_heads * head_width], likewise
  Matrix<float> query_scale;         // [1, rows * heads], inverse rms of each head; likewise
  Matrix<float> key_scale;           // [1, rows * key_value_heads], likewise
  Matrix<float> query;               // [rows, heads * head_width], rotated
  Matrix<float> key, value;          // [rows, key_value_heads * head_width], key rotated
  Matrix<float> attention;           // [rows, heads * head_width], before the output map
  Matrix<float> log_sum_exp;         // [rows, heads]
  Matrix<float> feed_forward_mean;   // [1, rows]
  Matrix<float> feed_forward_scale;  // [1, rows]
  Matrix<float> gate;                // [rows, d], before the activation; gated families alone
  Matrix<float> up;                  // [rows, d], before the activation where there is no gate
  Matrix<float> activation;          // [rows, d]: the *key*, input of the down-projection
};

/// Gradients of what attention reads and writes, for at most `capacity` rows.
struct AttentionGradients {
  AttentionGradients(Backend& backend, const ModelDescription& model, std::size_t capacity);

  Matrix<float> query;            // [rows, heads * head_width]
  Matrix<float> key, value;       // [rows, key_value_heads * head_width]
  Matrix<float> attention;        // [rows, heads * head_width]
  Matrix<float> projected_query;  // [rows, heads * head_width], with head_norms alone
  Matrix<float> projected_key;    // [rows, key_value_heads * head_width], likewise
};

/// Keys and values that come before the rows of a batch, as attention sees them: [p, key_value_heads * head_width]
/// both.
struct AttentionPrefix {
  ConstMatrixView<float> key;
  ConstMatrixView<float> value;
};

/// The weights and the steps of a pass over packed rows. A block is three steps, so that callers can stop between them:
///
///     attend      x → queries, keys, values, attention
///     expand      x += output map of the attention; x → activation, the input of the down-projection (the key)
///     contract    x += down-projection of the activation
///
/// In parallel families (GPT-J) the activation comes of x as it was before the attention was added.
/// x is the residual stream [rows, m]; rows are those of a RowLayout unless a step says "any rows". Every view handed
/// in has exactly as many rows as are meant; activations may have room for more.
class Transformer {
 public:
  static std::unique_ptr<Transformer> load(std::shared_ptr<Backend> backend, const ModelDescription& description,
                                           const std::vector<std::string>& paths, WeightType type, std::size_t threads,
                                           const Cancellation& cancellation);
  /// Of weights without values (model/weights.h).
  static std::unique_ptr<Transformer> without_values(std::shared_ptr<Backend> backend,
                                                     const ModelDescription& description);

  [[nodiscard]] const ModelDescription& description() const { return description_; }
  [[nodiscard]] Weights& weights() { return *weights_; }
  [[nodiscard]] Backend& backend() const { return *backend_; }
  [[nodiscard]] const std::shared_ptr<Backend>& shared_backend() const { return backend_; }
  [[nodiscard]] BlockActivations make_activations(std::size_t rows) const;

  void embed(std::span<const std::int32_t> tokens, const RowLayout& layout, MatrixView<float> x) const;
  /// The same without positions.
  void embed_tokens(std::span<const std::int32_t> tokens, MatrixView<float> x) const;
  void attend(std::size_t layer, const RowLayout& layout, ConstMatrixView<float> x, const AttentionPrefix& prefix,
              BlockActivations& activations);
  /// Keys and values alone, for rows that only others attend to.
  void project_keys(std::size_t layer, const RowLayout& layout, ConstMatrixView<float> x,
                    BlockActivations& activations);
  /// Any rows: attention [rows, heads * head_width]. `norm_input` [rows, m] gets what the feed-forward part's norm read
  /// of x, for the backward pass; it may be empty.
  void expand(std::size_t layer, ConstMatrixView<float> attention, MatrixView<float> x, MatrixView<float> norm_input,
              BlockActivations& activations) const;
  /// Any rows: activation [rows, d].
  void contract(std::size_t layer, ConstMatrixView<float> activation, MatrixView<float> x) const;
  /// All three steps.
  void block(std::size_t layer, const RowLayout& layout, MatrixView<float> x, const AttentionPrefix& prefix,
             BlockActivations& activations);

  /// Any rows: final norm, into `normed` [rows, m]; mean and scale [1, rows] are kept for the backward pass.
  void final_norm(ConstMatrixView<float> x, MatrixView<float> normed, MatrixView<float> mean,
                  MatrixView<float> scale) const;
  /// A matrix [rows, vocabulary] to write to: that of an earlier call where nobody has it any more, since memory that
  /// was never touched takes a twentieth of the time of a pass.
  Matrix<float> memory_for_logits(std::size_t rows);
  /// Any rows: normed [rows, m] → logits [rows, vocabulary].
  void head(ConstMatrixView<float> normed, MatrixView<float> logits) const;

  // Gradients of the residual stream, step by step in reverse; x is what the step read. `x_gradient` holds the gradient
  // of the step's output and becomes that of its input; activation and attention gradients are scratch of their shapes.

  void head_backward(ConstMatrixView<float> logits_gradient, MatrixView<float> normed_gradient) const;
  /// Adds to x_gradient.
  void final_norm_backward(ConstMatrixView<float> normed_gradient, ConstMatrixView<float> x,
                           ConstMatrixView<float> mean, ConstMatrixView<float> scale,
                           MatrixView<float> x_gradient) const;
  /// `expand` and `contract` together. Any rows. attention_gradient [rows, heads * head_width] becomes the gradient of
  /// the attention that `expand` read. Overwrites the activations' gate, up and normed.
  void expand_backward(std::size_t layer, ConstMatrixView<float> norm_input, BlockActivations& activations,
                       MatrixView<float> activation_gradient, MatrixView<float> attention_gradient,
                       MatrixView<float> x_gradient) const;
  /// Reads gradients.attention and adds to x_gradient; overwrites the other gradients and the activations' normed.
  void attend_backward(std::size_t layer, const RowLayout& layout, ConstMatrixView<float> x,
                       const AttentionPrefix& prefix, BlockActivations& activations, AttentionGradients& gradients,
                       MatrixView<float> x_gradient);

 private:
  /// ErrorCode::model_format where the description's activation is none the family has.
  Transformer(std::shared_ptr<Backend> backend, const ModelDescription& description, std::unique_ptr<Weights> weights);

  void norm_forward(const NormWeights& norm, ConstMatrixView<float> x, MatrixView<float> out, MatrixView<float> mean,
                    MatrixView<float> scale) const;
  void norm_backward(const NormWeights& norm, ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                     ConstMatrixView<float> mean, ConstMatrixView<float> scale, MatrixView<float> x_gradient) const;
  void feed_forward(std::size_t layer, ConstMatrixView<float> x, BlockActivations& activations) const;
  void feed_forward_backward(std::size_t layer, ConstMatrixView<float> norm_input, BlockActivations& activations,
                             MatrixView<float> activation_gradient, MatrixView<float> x_gradient) const;
  void project_heads(const Linear& linear, const NormWeights& norm, ConstMatrixView<float> normed,
                     Matrix<float>& projected, Matrix<float>& scale, MatrixView<float> heads) const;
  [[nodiscard]] MatrixView<float> head_norm_backward(const NormWeights& norm, MatrixView<float> heads_gradient,
                                                     const Matrix<float>& projected, const Matrix<float>& scale,
                                                     Matrix<float>& projected_gradient) const;
  void rotate(RotaryDirection direction, const RowLayout& layout, MatrixView<float> x);
  void make_room_for_positions(std::size_t positions);
  [[nodiscard]] AttentionShape attention_shape() const;

  std::shared_ptr<Backend> backend_;
  ModelDescription description_;
  std::unique_ptr<Weights> weights_;
  Matrix<float> cosine_, sine_;  // [positions seen so far, rotary.width / 2]
  Matrix<float> logits_;         // handed out last; empty where they were too many to keep
};

}  // namespace lyaplock
