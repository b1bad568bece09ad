#include "model/transformer.h"

#include <algorithm>
#include <cmath>

#include "model/heads.h"

namespace lyaplock {

namespace {

void apply(Backend& backend, const Linear& linear, ConstMatrixView<float> x, float beta, MatrixView<float> out) {
  if (linear.half_weight.empty())
    backend.gemm(Transpose::no, Transpose::yes, 1.0F, x, linear.weight, beta, out);
  else
    backend.gemm(Transpose::no, Transpose::yes, 1.0F, x, linear.half_weight, beta, out);
  if (!linear.bias.empty()) backend.add_bias(linear.bias, out);
}

}  // namespace

BlockActivations::BlockActivations(Backend& backend, const ModelDescription& model, bool gated, std::size_t capacity)
    : normed(backend, capacity, model.width),
      attention_mean(backend, 1, capacity),
      attention_scale(backend, 1, capacity),
      projected_query(backend, model.head_norms ? capacity : 0, model.heads * model.head_width),
      projected_key(backend, model.head_norms ? capacity : 0, model.key_value_heads * model.head_width),
      query_scale(backend, 1, model.head_norms ? capacity * model.heads : 0),
      key_scale(backend, 1, model.head_norms ? capacity * model.key_value_heads : 0),
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
      attention(backend, capacity, model.heads * model.head_width),
      projected_query(backend, model.head_norms ? capacity : 0, model.heads * model.head_width),
      projected_key(backend, model.head_norms ? capacity : 0, model.key_value_heads * model.head_width) {}

Transformer::Transformer(std::shared_ptr<Backend> backend, const ModelDescription& description,
                         std::unique_ptr<Weights> weights)
    : backend_(std::move(backend)), description_(description), weights_(std::move(weights)) {
  if (weights_->family.gated != (description.activation == Activation::silu))
    throw Error(ErrorCode::model_format, "The family " + description.family +
                                             (weights_->family.gated ? " is known with the activation silu alone"
                                                                     : " is known with the activation gelu alone"));
}

std::unique_ptr<Transformer> Transformer::load(std::shared_ptr<Backend> backend, const ModelDescription& description,
                                               const std::vector<std::string>& paths, WeightType type,
                                               std::size_t threads, const Cancellation& cancellation) {
  std::unique_ptr<Weights> weights = Weights::load(backend, description, paths, type, threads, cancellation);
  return std::unique_ptr<Transformer>(new Transformer(std::move(backend), description, std::move(weights)));
}

std::unique_ptr<Transformer> Transformer::without_values(std::shared_ptr<Backend> backend,
                                                         const ModelDescription& description) {
  std::unique_ptr<Weights> weights = Weights::without_values(backend, description);
  return std::unique_ptr<Transformer>(new Transformer(std::move(backend), description, std::move(weights)));
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
  const std::vector<float> frequencies = rotary_frequencies(description_.rotary);
  const std::size_t half = frequencies.size(), rows = std::max(positions, 2 * cosine_.rows());
  std::vector<float> cosine(rows * half), sine(rows * half);
  for (std::size_t position = 0; position < rows; ++position)
    for (std::size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * frequencies[i];
      cosine[position * half + i] = std::cos(angle);
      sine[position * half + i] = std::sin(angle);
    }
  cosine_ = upload<float>(*backend_, cosine, rows, half);
  sine_ = upload<float>(*backend_, sine, rows, half);
}

void Transformer::rotate(RotaryDirection direction, const RowLayout& layout, MatrixView<float> x) {
  const Positions kind = weights_->family.positions;
  if (kind == Positions::learned || layout.rows() == 0) return;
  const auto last = *std::max_element(layout.positions.begin(), layout.positions.end());
  make_room_for_positions(static_cast<std::size_t>(last) + 1);
  const RotaryPairing pairing = kind == Positions::rotary_halves ? RotaryPairing::halves : RotaryPairing::neighbours;
  backend_->rotary(direction, pairing, description_.head_width, cosine_, sine_, layout.positions, x);
}

void Transformer::norm_forward(const NormWeights& norm, ConstMatrixView<float> x, MatrixView<float> out,
                               MatrixView<float> mean, MatrixView<float> scale) const {
  if (weights_->family.norm == Norm::root_mean_square)
    backend_->rms_norm_forward(x, norm.weight, description_.norm_epsilon, out, scale);
  else
    backend_->layer_norm_forward(x, norm.weight, norm.bias, description_.norm_epsilon, out, mean, scale);
}

void Transformer::embed_tokens(std::span<const std::int32_t> tokens, MatrixView<float> x) const {
  if (weights_->half_embedding.empty())
    backend_->gather_rows(weights_->embedding, tokens, x);
  else
    backend_->gather_rows(weights_->half_embedding, tokens, x);
}

void Transformer::embed(std::span<const std::int32_t> tokens, const RowLayout& layout, MatrixView<float> x) const {
  embed_tokens(tokens, x);
  if (weights_->family.positions != Positions::learned) return;
  Matrix<float> positions(*backend_, x.rows, x.cols);
  backend_->gather_rows(weights_->position_embedding, layout.positions, positions);
  backend_->add_scaled(1.0F, positions, x);
}

/// heads [rows, heads * head_width] = linear map of `normed`, each head normed where the model has norms of heads.
void Transformer::project_heads(const Linear& linear, const NormWeights& norm, ConstMatrixView<float> normed,
                                Matrix<float>& projected, Matrix<float>& scale, MatrixView<float> heads) const {
  if (!description_.head_norms) return apply(*backend_, linear, normed, 0.0F, heads);
  const MatrixView<float> before = first_rows(projected, heads.rows), each = each_head(heads, description_.head_width);
  apply(*backend_, linear, normed, 0.0F, before);
  backend_->rms_norm_forward(each_head(before, description_.head_width), norm.weight, description_.norm_epsilon, each,
                             first_entries(scale, each.rows));
}

void Transformer::project_keys(std::size_t layer, const RowLayout& layout, ConstMatrixView<float> x,
                               BlockActivations& activations) {
  const BlockWeights& block = weights_->blocks[layer];
  const std::size_t n = x.rows;
  const MatrixView<float> normed = first_rows(activations.normed, n), key = first_rows(activations.key, n);
  norm_forward(block.attention_norm, x, normed, first_entries(activations.attention_mean, n),
               first_entries(activations.attention_scale, n));
  project_heads(block.key, block.key_norm, normed, activations.projected_key, activations.key_scale, key);
  apply(*backend_, block.value, normed, 0.0F, first_rows(activations.value, n));
  rotate(RotaryDirection::forward, layout, key);
}

void Transformer::attend(std::size_t layer, const RowLayout& layout, ConstMatrixView<float> x,
                         const AttentionPrefix& prefix, BlockActivations& activations) {
  const BlockWeights& block = weights_->blocks[layer];
  const std::size_t n = x.rows;
  project_keys(layer, layout, x, activations);
  const MatrixView<float> query = first_rows(activations.query, n);
  project_heads(block.query, block.query_norm, first_rows(activations.normed, n), activations.projected_query,
                activations.query_scale, query);
  rotate(RotaryDirection::forward, layout, query);
  backend_->attention_forward(attention_shape(), layout.segments, query, first_rows(activations.key, n),
                              first_rows(activations.value, n), prefix.key, prefix.value,
                              first_rows(activations.attention, n), first_rows(activations.log_sum_exp, n));
}

void Transformer::expand(std::size_t layer, ConstMatrixView<float> attention, MatrixView<float> x,
                         MatrixView<float> norm_input, BlockActivations& activations) const {
  const Linear& output = weights_->blocks[layer].attention_output;
  const bool parallel = weights_->family.parallel;
  if (!parallel) apply(*backend_, output, attention, 1.0F, x);
  if (!norm_input.empty()) backend_->copy(x, norm_input);
  feed_forward(layer, x, activations);
  if (parallel) apply(*backend_, output, attention, 1.0F, x);
}

/// Up to the activation.
void Transformer::feed_forward(std::size_t layer, ConstMatrixView<float> x, BlockActivations& activations) const {
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
    backend_->gelu_forward(gelu_of(description_.activation), up, first_rows(activations.activation, n));
  }
}

void Transformer::contract(std::size_t layer, ConstMatrixView<float> activation, MatrixView<float> x) const {
  apply(*backend_, weights_->blocks[layer].down, activation, 1.0F, x);
}

void Transformer::block(std::size_t layer, const RowLayout& layout, MatrixView<float> x, const AttentionPrefix& prefix,
                        BlockActivations& activations) {
  attend(layer, layout, x, prefix, activations);
  expand(layer, first_rows(activations.attention, x.rows), x, {}, activations);
  contract(layer, first_rows(activations.activation, x.rows), x);
}

void Transformer::final_norm(ConstMatrixView<float> x, MatrixView<float> normed, MatrixView<float> mean,
                             MatrixView<float> scale) const {
  norm_forward(weights_->final_norm, x, normed, mean, scale);
}

Matrix<float> Transformer::memory_for_logits(std::size_t rows) {
  constexpr std::size_t most_bytes = std::size_t{256} << 20;
  if (logits_.rows() == rows && !logits_.is_shared() && rows > 0) return logits_.share();
  logits_ = {};  // first, lest there be both
  Matrix<float> logits(*backend_, rows, description_.vocabulary);
  if (logits.bytes() <= most_bytes) logits_ = logits.share();
  return logits;
}

void Transformer::head(ConstMatrixView<float> normed, MatrixView<float> logits) const {
  apply(*backend_, weights_->head, normed, 0.0F, logits);
}

}  // namespace lyaplock
