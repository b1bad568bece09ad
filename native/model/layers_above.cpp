#include "model/layers_above.h"

#include <algorithm>

#include "model/forward.h"

namespace lyaplock {

LayersAbove::LayersAbove(Transformer& model, std::size_t layer, std::size_t rows, std::size_t reads)
    : model_(model), gradients_(model.backend(), model.description(), rows) {
  Backend& backend = model.backend();
  const ModelDescription& description = model.description();
  const std::size_t m = description.width;
  for (std::size_t above = layer + 1; above < description.layers; ++above) {
    const std::size_t feed_forward_rows = above + 1 < description.layers ? rows : reads;
    layers_.push_back({above,
                       model.make_activations(std::max(rows, feed_forward_rows)),
                       Matrix<float>(backend, rows, m),
                       Matrix<float>(backend, feed_forward_rows, m),
                       {},
                       {}});
  }
  x_gradient_ = Matrix<float>(backend, rows, m);
  output_ = Matrix<float>(backend, reads, m);
  output_gradient_ = Matrix<float>(backend, reads, m);
  normed_ = Matrix<float>(backend, reads, m);
  normed_mean_ = Matrix<float>(backend, 1, reads);
  normed_scale_ = Matrix<float>(backend, 1, reads);
  read_attention_ = Matrix<float>(backend, reads, description.heads * description.head_width);
  logits_ = Matrix<float>(backend, std::min(reads, logits_rows_at_once(description)), description.vocabulary);
  losses_ = Matrix<float>(backend, 1, logits_.rows());
}

double LayersAbove::bytes_per_row(const ModelDescription& d, std::size_t layer) {
  const auto above = static_cast<double>(d.layers - layer);  // one more for the passes below, and for gradients
  const double keys = static_cast<double>(2 * d.key_value_heads * d.head_width);
  const double queries = static_cast<double>(2 * d.heads * d.head_width);
  return above * sizeof(float) *
         (keys + queries + 3.0 * static_cast<double>(d.width) + 3.0 * static_cast<double>(d.feed_forward_width));
}

void LayersAbove::keep_prefix(MatrixView<float> x, const RowLayout& layout, const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  BlockActivations activations = model_.make_activations(x.rows);
  for (Layer& layer : layers_) {
    cancellation.check();
    if (&layer == &layers_.back())
      model_.project_keys(layer.index, layout, x, activations);
    else
      model_.block(layer.index, layout, x, {}, activations);
    layer.prefix_key = Matrix<float>(backend, x.rows, activations.key.cols());
    layer.prefix_value = Matrix<float>(backend, x.rows, activations.value.cols());
    backend.copy(activations.key.view(), layer.prefix_key);
    backend.copy(activations.value.view(), layer.prefix_value);
  }
}

MatrixView<float> LayersAbove::input(std::size_t rows) {
  return first_rows(layers_.empty() ? x_gradient_ : layers_[0].input, rows);
}

void LayersAbove::forward(RowLayout layout, std::vector<std::int32_t> read_rows, const Cancellation& cancellation) {
  layout_ = std::move(layout);
  reads_ = std::move(read_rows);
  Backend& backend = model_.backend();
  const std::size_t n = layout_.rows(), reads = reads_.size();
  const MatrixView<float> output = first_rows(output_, reads);
  if (layers_.empty()) backend.gather_rows(input(n), reads_, output);
  for (std::size_t k = 0; k < layers_.size(); ++k) {
    cancellation.check();
    Layer& layer = layers_[k];
    const ConstMatrixView<float> x = first_rows(layer.input, n);
    model_.attend(layer.index, layout_, x, layer.prefix(), layer.activations);
    const MatrixView<float> attention = first_rows(layer.activations.attention, n);
    if (k + 1 < layers_.size()) {
      const MatrixView<float> next = first_rows(layers_[k + 1].input, n);
      backend.copy(x, next);
      model_.expand(layer.index, attention, next, first_rows(layer.norm_input, n), layer.activations);
      model_.contract(layer.index, first_rows(layer.activations.activation, n), next);
    } else {
      // Only what is read goes on: the feed-forward part of the last layer is most of its work.
      const MatrixView<float> read_attention = first_rows(read_attention_, reads);
      backend.gather_rows(x, reads_, output);
      backend.gather_rows(attention, reads_, read_attention);
      model_.expand(layer.index, read_attention, output, first_rows(layer.norm_input, reads), layer.activations);
      model_.contract(layer.index, first_rows(layer.activations.activation, reads), output);
    }
  }
  model_.final_norm(output, first_rows(normed_, reads), first_entries(normed_mean_, reads),
                    first_entries(normed_scale_, reads));
}

void LayersAbove::read(std::size_t begin, std::size_t count,
                       const std::function<void(std::size_t, MatrixView<float>)>& use) {
  for (std::size_t first = 0; first < count; first += logits_.rows()) {
    const std::size_t now = std::min(logits_.rows(), count - first);
    const MatrixView<float> normed = normed_.view().row_range(begin + first, now), logits = first_rows(logits_, now);
    model_.head(normed, logits);
    use(first, logits);
    model_.head_backward(logits, normed);  // the gradient, in place of what it is of
  }
}

std::vector<float> LayersAbove::cross_entropy(std::size_t begin, std::span<const std::int32_t> tokens,
                                              std::span<const float> weights) {
  std::vector<float> losses;
  read(begin, tokens.size(), [&](std::size_t first, MatrixView<float> logits) {
    const MatrixView<float> row_losses = first_entries(losses_, logits.rows);
    model_.backend().cross_entropy(tokens.subspan(first, logits.rows), weights.subspan(first, logits.rows), logits,
                                   row_losses);
    const std::vector<float> host = download<float>(model_.backend(), row_losses);
    losses.insert(losses.end(), host.begin(), host.end());
  });
  return losses;
}

ConstMatrixView<float> LayersAbove::backward() {
  Backend& backend = model_.backend();
  const std::size_t n = layout_.rows(), reads = reads_.size();
  const MatrixView<float> x_gradient = first_rows(x_gradient_, n), attention = first_rows(gradients_.attention, n);
  const MatrixView<float> output_gradient = first_rows(output_gradient_, reads);
  const std::vector<float> once(reads, 1.0F);  // a row that is read twice has the sum of both gradients
  backend.fill(0.0F, output_gradient);
  model_.final_norm_backward(first_rows(normed_, reads), first_rows(output_, reads), first_entries(normed_mean_, reads),
                             first_entries(normed_scale_, reads), output_gradient);
  if (layers_.empty()) {
    backend.fill(0.0F, x_gradient);
    backend.scatter_add_rows(output_gradient, reads_, once, x_gradient);
  }
  for (std::size_t k = layers_.size(); k-- > 0;) {
    Layer& layer = layers_[k];
    if (k + 1 == layers_.size()) {
      const MatrixView<float> read_attention = first_rows(read_attention_, reads);
      model_.expand_backward(layer.index, first_rows(layer.norm_input, reads), layer.activations,
                             first_rows(layer.activations.activation, reads), read_attention, output_gradient);
      backend.fill(0.0F, attention);
      backend.scatter_add_rows(read_attention, reads_, once, attention);
      backend.fill(0.0F, x_gradient);
      backend.scatter_add_rows(output_gradient, reads_, once, x_gradient);
    } else {
      model_.expand_backward(layer.index, first_rows(layer.norm_input, n), layer.activations,
                             first_rows(layer.activations.activation, n), attention, x_gradient);
    }
    model_.attend_backward(layer.index, layout_, first_rows(layer.input, n), layer.prefix(), layer.activations,
                           gradients_, x_gradient);
  }
  return x_gradient;
}

}  // namespace lyaplock
