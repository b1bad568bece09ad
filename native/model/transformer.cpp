#include "model/transformer.h"

#include <algorithm>
#include <cmath>

namespace lyaplock {

namespace {

void apply(Backend& backend, const Linear& linear, ConstMatrixView<float> x, float beta, MatrixView<float> out) {
  backend.gemm(Transpose::no, Transpose::yes, 1.0F, x, linear.weight, beta, out);
  if (!linear.bias.empty()) backend.add_bias(linear.bias, out);
}

/// x_gradient = out_gradient * weight + beta * x_gradient.
void apply_backward(Backend& backend, const Linear& linear, ConstMatrixView<float> out_gradient, float beta,
                    MatrixView<float> x_gradient) {
  backend.gemm(Transpose::no, Transpose::no, 1.0F, out_gradient, linear.weight, beta, x_gradient);
}

Gelu gelu_kind(Activation activation) { return activation == Activation::gelu_tanh ? Gelu::tanh : Gelu::exact; }

}  // namespace

BlockActivations::BlockActivations(Backend& backend, const ModelDescription& model, bool gated, std::size_t capacity)
    : normed(backend, capacity, model.width),
      attention_mean(backend, 1, capacity),
      attention_scale(backend, 1, capacity),
      query(backend, capacity, model.heads * model.head_width),
      key(backend, capacity, model.key_value_heads * model.head_width),
      value(backend, capacity, model.key_value_heads * model.head_width),
      attention(backend, capacity, model.heads * model.head_width),
      log_sum_exp(backend, capacity, model.heads),
      feed_forward_mean(backend, 1, capacity),
      feed_forward_scale(backend, 1, capacity),
      gate(backend, gated ? capacity : 0, model.feed_forward_width),
      up(backend, capacity, model.feed_forward_width),
      activation(backend, capacity, model.feed_forward_width) {}

AttentionGradients::AttentionGradients(Backend& backend, const ModelDescription& model, std::size_t capacity)
    : query(backend, capacity, model.heads * model.head_width),
      key(backend, capacity, model.key_value_heads * model.head_width),
      value(backend, capacity, model.key_value_heads * model.head_width),
      attention(backend, capacity, model.heads * model.head_width) {}

std::unique_ptr<Transformer> Transformer::load(std::shared_ptr<Backend> backend, const ModelDescription& description,
                                               const std::vector<std::string>& paths,
                                               const Cancellation& cancellation) {
  std::unique_ptr<Transformer> model(new Transformer(backend, description));
  model->weights_ = Weights::load(std::move(backend), description, paths, cancellation);
  if (model->weights_->family.gated != (description.activation == Activation::silu))
    throw Error(ErrorCode::model_format,
                "The family " + description.family +
                    (model->weights_->family.gated ? " is known with the activation silu alone"
                                                   : " is known with the activation gelu alone"));
  return model;
}

BlockActivations Transformer::make_activations(std::size_t rows) const {
  return {*backend_, description_, weights_->family.gated, rows};
}

AttentionShape Transformer::attention_shape() const {
  return {description_.heads, description_.key_value_heads, description_.head_width,
          1.0F / std::sqrt(static_cast<float>(description_.head_width))};
}

void Transformer::make_room_for_positions(std::size_t positions) {
  if (positions <= cosine_.rows()) return;
  const std::size_t half = description_.head_width / 2;
  const std::size_t rows = std::max(positions, 2 * cosine_.rows());
  std::vector<float> cosine(rows * half), sine(rows * half);
  for (std::size_t i = 0; i < half; ++i) {
    // In float32 throughout, as transformers computes them: the angles of far positions depend on it.
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(description_.head_width);
    const float frequency = 1.0F / std::pow(static_cast<float>(description_.rotary_base), exponent);
    for (std::size_t position = 0; position < rows; ++position) {
      const float angle = static_cast<float>(position) * frequency;
      cosine[position * half + i] = std::cos(angle);
      sine[position * half + i] = std::sin(angle);
    }
  }
  cosine_ = upload<float>(*backend_, cosine, rows, half);
  sine_ = upload<float>(*backend_, sine, rows, half);
}

void Transformer::rotate(RotaryDirection direction, const RowLayout& layout, MatrixView<float> x) {
  if (weights_->family.positions != Positions::rotary || layout.rows() == 0) return;
  const auto last = *std::max_element(layout.positions.begin(), layout.positions.end());
  make_room_for_positions(static_cast<std::size_t>(last) + 1);
  backend_->rotary(direction, RotaryPairing::halves, description_.head_width, cosine_, sine_, layout.positions, x);
}

void Transformer::norm_forward(const NormWeights& norm, ConstMatrixView<float> x, MatrixView<float> out,
                               MatrixView<float> mean, MatrixView<float> scale) const {
  if (weights_->family.norm == Norm::root_mean_square)
    backend_->rms_norm_forward(x, norm.weight, description_.norm_epsilon, out, scale);
  else
    backend_->layer_norm_forward(x, norm.weight, norm.bias, description_.norm_epsilon, out, mean, scale);
}

void Transformer::norm_backward(const NormWeights& norm, ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                ConstMatrixView<float> mean, ConstMatrixView<float> scale,
                                MatrixView<float> x_gradient) const {
  if (weights_->family.norm == Norm::root_mean_square)
    backend_->rms_norm_backward(out_gradient, x, norm.weight, scale, x_gradient);
  else
    backend_->layer_norm_backward(out_gradient, x, norm.weight, mean, scale, x_gradient);
}

void Transformer::embed(std::span<const std::int32_t> tokens, const RowLayout& layout, MatrixView<float> x) const {
  backend_->gather_rows(weights_->embedding, tokens, x);
  if (weights_->family.positions != Positions::learned) return;
  Matrix<float> positions(*backend_, x.rows, x.cols);
  backend_->gather_rows(weights_->position_embedding, layout.positions, positions);
  backend_->add_scaled(1.0F, positions, x);
}

void Transformer::project_keys(std::size_t layer, const RowLayout& layout, ConstMatrixView<float> x,
                               BlockActivations& activations) {
  const BlockWeights& block = weights_->blocks[layer];
  const std::size_t n = x.rows;
  const MatrixView<float> normed = first_rows(activations.normed, n);
  norm_forward(block.attention_norm, x, normed, first_entries(activations.attention_mean, n),
               first_entries(activations.attention_scale, n));
  apply(*backend_, block.key, normed, 0.0F, first_rows(activations.key, n));
  apply(*backend_, block.value, normed, 0.0F, first_rows(activations.value, n));
  rotate(RotaryDirection::forward, layout, first_rows(activations.key, n));
}

void Transformer::attend(std::size_t layer, const RowLayout& layout, ConstMatrixView<float> x,
                         const AttentionPrefix& prefix, BlockActivations& activations) {
  const std::size_t n = x.rows;
  project_keys(layer, layout, x, activations);
  const MatrixView<float> query = first_rows(activations.query, n);
  apply(*backend_, weights_->blocks[layer].query, first_rows(activations.normed, n), 0.0F, query);
  rotate(RotaryDirection::forward, layout, query);
  backend_->attention_forward(attention_shape(), layout.segments, query, first_rows(activations.key, n),
                              first_rows(activations.value, n), prefix.key, prefix.value,
                              first_rows(activations.attention, n), first_rows(activations.log_sum_exp, n));
}

void Transformer::add_attention(std::size_t layer, ConstMatrixView<float> attention, MatrixView<float> x) const {
  apply(*backend_, weights_->blocks[layer].attention_output, attention, 1.0F, x);
}

void Transformer::expand(std::size_t layer, ConstMatrixView<float> x, BlockActivations& activations) const {
  const BlockWeights& block = weights_->blocks[layer];
  const std::size_t n = x.rows;
  const MatrixView<float> normed = first_rows(activations.normed, n), up = first_rows(activations.up, n);
  norm_forward(block.feed_forward_norm, x, normed, first_entries(activations.feed_forward_mean, n),
               first_entries(activations.feed_forward_scale, n));
  apply(*backend_, block.up, normed, 0.0F, up);
  if (weights_->family.gated) {
    const MatrixView<float> gate = first_rows(activations.gate, n);
    apply(*backend_, block.gate, normed, 0.0F, gate);
    backend_->swiglu_forward(gate, up, first_rows(activations.activation, n));
  } else {
    backend_->gelu_forward(gelu_kind(description_.activation), up, first_rows(activations.activation, n));
  }
}

void Transformer::contract(std::size_t layer, ConstMatrixView<float> activation, MatrixView<float> x) const {
  apply(*backend_, weights_->blocks[layer].down, activation, 1.0F, x);
}

void Transformer::block(std::size_t layer, const RowLayout& layout, MatrixView<float> x, const AttentionPrefix& prefix,
                        BlockActivations& activations) {
  attend(layer, layout, x, prefix, activations);
  add_attention(layer, first_rows(activations.attention, x.rows), x);
  expand(layer, x, activations);
  contract(layer, first_rows(activations.activation, x.rows), x);
}

void Transformer::final_norm(ConstMatrixView<float> x, MatrixView<float> normed, MatrixView<float> mean,
                             MatrixView<float> scale) const {
  norm_forward(weights_->final_norm, x, normed, mean, scale);
}

void Transformer::head(ConstMatrixView<float> normed, MatrixView<float> logits) const {
  apply(*backend_, weights_->head, normed, 0.0F, logits);
}

void Transformer::head_backward(ConstMatrixView<float> logits_gradient, MatrixView<float> normed_gradient) const {
  apply_backward(*backend_, weights_->head, logits_gradient, 0.0F, normed_gradient);
}

void Transformer::final_norm_backward(ConstMatrixView<float> normed_gradient, ConstMatrixView<float> x,
                                      ConstMatrixView<float> mean, ConstMatrixView<float> scale,
                                      MatrixView<float> x_gradient) const {
  norm_backward(weights_->final_norm, normed_gradient, x, mean, scale, x_gradient);
}

void Transformer::feed_forward_backward(std::size_t layer, ConstMatrixView<float> x, BlockActivations& activations,
                                        MatrixView<float> activation_gradient, MatrixView<float> x_gradient) const {
  const BlockWeights& block = weights_->blocks[layer];
  const std::size_t n = x.rows;
  apply_backward(*backend_, block.down, x_gradient, 0.0F, activation_gradient);
  const MatrixView<float> up = first_rows(activations.up, n), normed_gradient = first_rows(activations.normed, n);
  if (weights_->family.gated) {
    const MatrixView<float> gate = first_rows(activations.gate, n);
    backend_->swiglu_backward(activation_gradient, gate, up, gate, up);
    apply_backward(*backend_, block.gate, gate, 0.0F, normed_gradient);
    apply_backward(*backend_, block.up, up, 1.0F, normed_gradient);
  } else {
    backend_->gelu_backward(gelu_kind(description_.activation), activation_gradient, up, up);
    apply_backward(*backend_, block.up, up, 0.0F, normed_gradient);
  }
  norm_backward(block.feed_forward_norm, normed_gradient, x, first_entries(activations.feed_forward_mean, n),
                first_entries(activations.feed_forward_scale, n), x_gradient);
}

void Transformer::add_attention_backward(std::size_t layer, ConstMatrixView<float> x_gradient,
                                         MatrixView<float> attention_gradient) const {
  apply_backward(*backend_, weights_->blocks[layer].attention_output, x_gradient, 0.0F, attention_gradient);
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
  apply_backward(*backend_, block.query, query, 0.0F, normed);
  apply_backward(*backend_, block.key, key, 1.0F, normed);
  apply_backward(*backend_, block.value, value, 1.0F, normed);
  norm_backward(block.attention_norm, normed, x, first_entries(activations.attention_mean, n),
                first_entries(activations.attention_scale, n), x_gradient);
}

}  // namespace lyaplock
