#include "model/down_gradient.h"

#include <algorithm>

namespace lyaplock {

void TrainingPrompts::validate(const ModelDescription& model) const {
  const auto fail = [](const std::string& message) { throw Error(ErrorCode::invalid_argument, message); };
  batch.validate(model);
  if (batch.sequences() == 0) fail("Training was asked for on no facts");
  std::vector<bool> labelled(batch.sequences());
  for (const Label& label : labels) {
    const auto s = static_cast<std::size_t>(label.sequence);
    if (label.sequence < 0 || s >= batch.sequences()) fail("There is no sequence " + std::to_string(label.sequence));
    if (label.position < 0 || static_cast<std::size_t>(label.position) >= batch.length(s))
      fail("A label of sequence " + std::to_string(s) + " lies at position " + std::to_string(label.position) + " of " +
           std::to_string(batch.length(s)));
    if (label.token < 0 || static_cast<std::size_t>(label.token) >= model.vocabulary)
      fail("Label " + std::to_string(label.token) + " is not in the vocabulary");
    labelled[s] = true;
  }
  for (std::size_t s = 0; s < labelled.size(); ++s)
    if (!labelled[s]) fail("Sequence " + std::to_string(s) + " has no label");
}

DownGradient::DownGradient(Transformer& model, const TrainingPrompts& prompts, std::size_t layer,
                           std::size_t batch_size, const Cancellation& cancellation, double most_bytes)
    : model_(model), layer_(layer) {
  const ModelDescription& description = model.description();
  prompts.validate(description);
  if (layer >= description.layers)
    throw Error(ErrorCode::invalid_argument, "There is no block " + std::to_string(layer));
  if (batch_size == 0) throw Error(ErrorCode::invalid_argument, "A mini-batch must hold at least one fact");

  const double most_rows = most_bytes / LayersAbove::bytes_per_row(description, layer);
  const std::size_t facts = prompts.batch.sequences();
  for (std::size_t begin = 0; begin < facts; begin += batch_size) {
    batches_.emplace_back();
    const std::size_t batch_end = std::min(begin + batch_size, facts);
    for (std::size_t group_begin = begin, end = begin; group_begin < batch_end; group_begin = end) {
      std::size_t rows = prompts.batch.length(end++);
      while (end < batch_end && static_cast<double>(rows + prompts.batch.length(end)) <= most_rows)
        rows += prompts.batch.length(end++);
      append_group(prompts, group_begin, end);
    }
  }

  Backend& backend = model.backend();
  const std::size_t n = prompts.batch.tokens.size(), m = description.width, d = description.feed_forward_width;
  keys_ = Matrix<float>(backend, n, d);
  x_ = Matrix<float>(backend, n, m);
  run_below(prompts, cancellation);
  std::size_t rows = 0, reads = 0;
  for (const std::vector<Group>& groups : batches_)
    for (const Group& group : groups) {
      rows = std::max(rows, group.layout.rows());
      reads = std::max(reads, group.reads.size());
    }
  above_.emplace(model, layer, rows, reads);
  weight_ = Matrix<float>(backend, m, d);
  bias_ = Matrix<float>(backend, model.weights().has_bias(layer) ? 1 : 0, m);
}

void DownGradient::append_group(const TrainingPrompts& prompts, std::size_t fact_begin, std::size_t fact_end) {
  Group group{.fact_begin = fact_begin,
              .facts = fact_end - fact_begin,
              .row_begin = prompts.batch.begin(fact_begin),
              .layout = {},
              .reads = {},
              .tokens = {},
              .label_facts = {},
              .fact_labels = std::vector<std::size_t>(fact_end - fact_begin)};
  for (std::size_t fact = fact_begin; fact < fact_end; ++fact) group.layout.append(prompts.batch.length(fact), 0);
  for (const Label& label : prompts.labels) {
    const auto fact = static_cast<std::size_t>(label.sequence);
    if (fact < fact_begin || fact >= fact_end) continue;
    const std::size_t row = prompts.batch.begin(fact) + static_cast<std::size_t>(label.position) - group.row_begin;
    group.reads.push_back(static_cast<std::int32_t>(row));
    group.tokens.push_back(label.token);
    group.label_facts.push_back(fact - fact_begin);
    ++group.fact_labels[fact - fact_begin];
  }
  batches_.back().push_back(std::move(group));
}

void DownGradient::run_below(const TrainingPrompts& prompts, const Cancellation& cancellation) {
  for (const std::vector<Group>& groups : batches_)
    for (const Group& group : groups) {
      const std::size_t n = group.layout.rows();
      const MatrixView<float> x = x_.view().row_range(group.row_begin, n);
      BlockActivations activations = model_.make_activations(n);
      model_.embed(std::span(prompts.batch.tokens).subspan(group.row_begin, n), group.layout, x);
      for (std::size_t below = 0; below < layer_; ++below) {
        cancellation.check();
        model_.block(below, group.layout, x, {}, activations);
      }
      cancellation.check();
      model_.attend(layer_, group.layout, x, {}, activations);
      model_.expand(layer_, activations.attention, x, {}, activations);
      model_.backend().copy(activations.activation, keys_.view().row_range(group.row_begin, n));
    }
}

std::vector<float> DownGradient::compute(std::size_t batch, const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  const std::vector<Group>& groups = batches_.at(batch);
  const std::size_t facts = groups.back().fact_begin + groups.back().facts - groups.front().fact_begin;
  std::vector<float> losses(facts);
  backend.fill(0.0F, weight_);
  backend.fill(0.0F, bias_);
  for (const Group& group : groups) {
    const std::size_t n = group.layout.rows(), first = group.fact_begin - groups.front().fact_begin;
    const ConstMatrixView<float> keys = keys_.view().row_range(group.row_begin, n);
    std::vector<float> weights;  // of each label in the loss of its fact; in that of the mini-batch, 1 / facts of it
    for (const std::size_t fact : group.label_facts)
      weights.push_back(1.0F / static_cast<float>(group.fact_labels[fact]));
    std::vector<float> shares(weights);
    for (float& share : shares) share /= static_cast<float>(facts);

    const MatrixView<float> output = above_->input(n);
    backend.copy(x_.view().row_range(group.row_begin, n), output);
    model_.contract(layer_, keys, output);
    above_->forward(group.layout, group.reads, cancellation);
    const std::vector<float> label_losses = above_->cross_entropy(0, group.tokens, shares);
    for (std::size_t i = 0; i < label_losses.size(); ++i)
      losses[first + group.label_facts[i]] += weights[i] * label_losses[i];

    // The block's output is the down-projection's plus what does not depend on it, so that their gradients are one.
    const ConstMatrixView<float> gradient = above_->backward();
    backend.gemm(Transpose::yes, Transpose::no, 1.0F, gradient, keys, 1.0F, weight_);
    if (!bias_.empty())
      backend.scatter_add_rows(gradient, std::vector<std::int32_t>(n, 0), std::vector<float>(n, 1.0F), bias_);
  }
  return losses;
}

}  // namespace lyaplock
