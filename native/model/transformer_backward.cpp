// The steps of a pass in reverse.
#include "model/heads.h"
#include "model/transformer.h"

namespace lyaplock {

namespace {

/// x_gradient = out_gradient * weight + beta * x_gradient.
void apply_backward(Backend& backend, const Linear& linear, ConstMatrixView<float> out_gradient, float beta,
                    MatrixView<float> x_gradient) {
  if (linear.half_weight.empty())
    backend.gemm(Transpose::no, Transpose::no, 1.0F, out_gradient, linear.weight, beta, x_gradient);
  else
    backend.gemm(Transpose::no, Transpose::no, 1.0F, out_gradient, linear.half_weight, beta, x_gradient);
}

}  // namespace

void Transformer::norm_backward(const NormWeights& norm, ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                ConstMatrixView<float> mean, ConstMatrixView<float> scale,
                                MatrixView<float> x_gradient) const {
  if (weights_->family.norm == Norm::root_mean_square)
    backend_->rms_norm_backward(out_gradient, x, norm.weight, scale, x_gradient);
  else
    backend_->layer_norm_backward(out_gradient, x, norm.weight, mean, scale, x_gradient);
}

/// From the gradient of normed heads to that of the heads that were projected; the same where there is no norm.
MatrixView<float> Transformer::head_norm_backward(const NormWeights& norm, MatrixView<float> heads_gradient,
                                                  const Matrix<float>& projected, const Matrix<float>& scale,
                                                  Matrix<float>& projected_gradient) const {
  if (!description_.head_norms) return heads_gradient;
  const std::size_t width = description_.head_width;
  const MatrixView<float> gradient = first_rows(projected_gradient, heads_gradient.rows);
  const MatrixView<float> each = each_head(heads_gradient, width);
  backend_->fill(0.0F, gradient);
  backend_->rms_norm_backward(each, each_head(first_rows(projected, heads_gradient.rows), width), norm.weight,
                              scale.view().column_range(0, each.rows), each_head(gradient, width));
  return gradient;
}

void Transformer::head_backward(ConstMatrixView<float> logits_gradient, MatrixView<float> normed_gradient) const {
  apply_backward(*backend_, weights_->head, logits_gradient, 0.0F, normed_gradient);
}

void Transformer::final_norm_backward(ConstMatrixView<float> normed_gradient, ConstMatrixView<float> x,
                                      ConstMatrixView<float> mean, ConstMatrixView<float> scale,
                                      MatrixView<float> x_gradient) const {
  norm_backward(weights_->final_norm, normed_gradient, x, mean, scale, x_gradient);
}

void Transformer::expand_backward(std::size_t layer, ConstMatrixView<float> norm_input, BlockActivations& activations,
                                  MatrixView<float> activation_gradient, MatrixView<float> attention_gradient,
                                  MatrixView<float> x_gradient) const {
  const Linear& output = weights_->blocks[layer].attention_output;
  // What the attention gave went through the feed-forward part only where that read it.
  const bool parallel = weights_->family.parallel;
  if (parallel) apply_backward(*backend_, output, x_gradient, 0.0F, attention_gradient);
  feed_forward_backward(layer, norm_input, activations, activation_gradient, x_gradient);
  if (!parallel) apply_backward(*backend_, output, x_gradient, 0.0F, attention_gradient);
}

void Transformer::feed_forward_backward(std::size_t layer, ConstMatrixView<float> norm_input,
                                        BlockActivations& activations, MatrixView<float> activation_gradient,
                                        MatrixView<float> x_gradient) const {
  const BlockWeights& block = weights_->blocks[layer];
  const std::size_t n = norm_input.rows;
  apply_backward(*backend_, block.down, x_gradient, 0.0F, activation_gradient);
  const MatrixView<float> up = first_rows(activations.up, n), normed_gradient = first_rows(activations.normed, n);
  if (weights_->family.gated) {
    const MatrixView<float> gate = first_rows(activations.gate, n);
    backend_->swiglu_backward(activation_gradient, gate, up, gate, up);
    apply_backward(*backend_, block.gate, gate, 0.0F, normed_gradient);
    apply_backward(*backend_, block.up, up, 1.0F, normed_gradient);
  } else {
    backend_->gelu_backward(gelu_of(description_.activation), activation_gradient, up, up);
    apply_backward(*backend_, block.up, up, 0.0F, normed_gradient);
  }
  norm_backward(block.feed_forward_norm, normed_gradient, norm_input, first_entries(activations.feed_forward_mean, n),
                first_entries(activations.feed_forward_scale, n), x_gradient);
}

void Transformer::attend_backward(std::size_t layer, const RowLayout& layout, ConstMatrixView<float> x,
                                  const AttentionPrefix& prefix, BlockActivations& activations,
                                  AttentionGradients& gradients, MatrixView<float> x_gradient) {
  const BlockWeights& block = weights_->blocks[layer];
  const std::size_t n = x.rows;
  const MatrixView<float> query = first_rows(gradients.query, n), key = first_rows(gradients.key, n),
                          value = first_rows(gradients.value, n), normed = first_rows(activations.normed, n);
  backend_->attention_backward(
      attention_shape(), layout.segments, first_rows(activations.query, n), first_rows(activations.key, n),
      first_rows(activations.value, n), prefix.key, prefix.value, first_rows(activations.attention, n),
      first_rows(activations.log_sum_exp, n), first_rows(gradients.attention, n), query, key, value);
  rotate(RotaryDirection::backward, layout, query);
  rotate(RotaryDirection::backward, layout, key);
  apply_backward(*backend_, block.query,
                 head_norm_backward(block.query_norm, query, activations.projected_query, activations.query_scale,
                                    gradients.projected_query),
                 0.0F, normed);
  apply_backward(*backend_, block.key,
                 head_norm_backward(block.key_norm, key, activations.projected_key, activations.key_scale,
                                    gradients.projected_key),
                 1.0F, normed);
  apply_backward(*backend_, block.value, value, 1.0F, normed);
  norm_backward(block.attention_norm, normed, x, first_entries(activations.attention_mean, n),
                first_entries(activations.attention_scale, n), x_gradient);
}

}  // namespace lyaplock
