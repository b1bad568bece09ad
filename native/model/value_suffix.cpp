#include "model/value_suffix.h"

#include <algorithm>

#include "model/forward.h"

namespace lyaplock {

namespace {

/// Rows that are read of a sequence: up to its last label; of a KL prompt up to its lookup.
std::size_t rows_read(const ValuePrompts& prompts, std::size_t sequence) {
  std::int32_t last = prompts.lookups[sequence];
  for (const Label& label : prompts.labels)
    if (static_cast<std::size_t>(label.sequence) == sequence) last = std::max(last, label.position);
  return static_cast<std::size_t>(last) + 1;
}

std::size_t total_suffix_rows(const ValuePrompts& prompts) {
  std::size_t rows = 0;
  for (std::size_t s = 0; s < prompts.batch.sequences(); ++s)
    rows += rows_read(prompts, s) - static_cast<std::size_t>(prompts.lookups[s]);
  return rows;
}

}  // namespace

ValueSuffix::ValueSuffix(Transformer& model, const ValuePrompts& prompts, std::size_t layer,
                         const Cancellation& cancellation)
    : model_(model),
      facts_(prompts.bare.size()),
      gradients_(model.backend(), model.description(), total_suffix_rows(prompts)) {
  Backend& backend = model.backend();
  const ModelDescription& description = model.description();
  const std::size_t m = description.width, rows = total_suffix_rows(prompts);
  const std::size_t reads = prompts.labels.size() + facts_;
  for (std::size_t above = layer + 1; above < description.layers; ++above) {
    const std::size_t feed_forward_rows = above + 1 < description.layers ? rows : reads;
    layers_.push_back({above,
                       model.make_activations(std::max(rows, feed_forward_rows)),
                       Matrix<float>(backend, rows, m),
                       Matrix<float>(backend, feed_forward_rows, m),
                       {},
                       {}});
  }
  base_ = Matrix<float>(backend, rows, m);
  arranged_base_ = Matrix<float>(backend, rows, m);
  x_gradient_ = Matrix<float>(backend, rows, m);
  output_ = Matrix<float>(backend, reads, m);
  output_gradient_ = Matrix<float>(backend, reads, m);
  normed_ = Matrix<float>(backend, reads, m);
  normed_mean_ = Matrix<float>(backend, 1, reads);
  normed_scale_ = Matrix<float>(backend, 1, reads);
  read_attention_ = Matrix<float>(backend, reads, description.heads * description.head_width);
  logits_ = Matrix<float>(backend, std::min(reads, logits_rows_at_once(description)), description.vocabulary);
  losses_ = Matrix<float>(backend, 1, logits_.rows());
  initial_ = Matrix<float>(backend, facts_, m);

  run_below(prompts, layer, cancellation);
  std::vector<std::int32_t> all(facts_);
  for (std::size_t fact = 0; fact < facts_; ++fact) all[fact] = static_cast<std::int32_t>(fact);
  arrange(all);
}

void ValueSuffix::run_below(const ValuePrompts& prompts, std::size_t layer, const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  TokenBatch cut;
  RowLayout prefix;
  std::vector<std::int32_t> prefix_rows, suffix_rows, initial_rows(facts_);
  for (std::size_t s = 0; s < prompts.batch.sequences(); ++s) {
    const auto lookup = static_cast<std::size_t>(prompts.lookups[s]);
    const std::size_t length = rows_read(prompts, s), begin = cut.tokens.size();
    cut.append(prompts.batch.sequence(s).first(length));
    sequences_.push_back({prompts.facts[s], lookup, length - lookup, suffix_rows.size(), prefix_rows.size(), {}});
    if (lookup > 0) prefix.append(lookup, 0);
    for (std::size_t i = 0; i < length; ++i)
      (i < lookup ? prefix_rows : suffix_rows).push_back(static_cast<std::int32_t>(begin + i));
    const auto fact = static_cast<std::size_t>(prompts.facts[s]);
    if (static_cast<std::size_t>(prompts.bare[fact]) == s)
      initial_rows[fact] = static_cast<std::int32_t>(begin + lookup);
  }
  for (const Label& label : prompts.labels)
    sequences_[static_cast<std::size_t>(label.sequence)].labels.push_back(label);

  const RowLayout layout = RowLayout::of(cut);
  Matrix<float> x(backend, layout.rows(), base_.cols());
  {
    BlockActivations activations = model_.make_activations(layout.rows());
    model_.embed(cut.tokens, layout, x);
    for (std::size_t below = 0; below <= layer; ++below) {
      cancellation.check();
      model_.block(below, layout, x, {}, activations);
    }
  }
  backend.gather_rows(x, initial_rows, initial_);
  backend.gather_rows(x, suffix_rows, base_);
  Matrix<float> x_prefix(backend, prefix_rows.size(), x.cols());
  backend.gather_rows(x, prefix_rows, x_prefix);
  run_prefix(x_prefix, prefix, cancellation);
}

void ValueSuffix::run_prefix(MatrixView<float> x, const RowLayout& layout, const Cancellation& cancellation) {
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

void ValueSuffix::arrange(const std::vector<std::int32_t>& facts) {
  Backend& backend = model_.backend();
  layout_ = {};
  lookup_rows_.clear();
  lookup_facts_.clear();
  read_rows_.clear();
  label_tokens_.clear();
  label_facts_.clear();
  label_weights_.clear();
  divergence_facts_.clear();

  std::vector<std::size_t> prompts_of(facts_);  // rewriting prompts
  for (const Sequence& sequence : sequences_)
    if (!sequence.labels.empty()) ++prompts_of[static_cast<std::size_t>(sequence.fact)];

  std::vector<std::int32_t> base_rows, divergence_rows;
  for (const Sequence& sequence : sequences_) {
    if (!std::binary_search(facts.begin(), facts.end(), sequence.fact)) continue;
    const auto first = static_cast<std::int32_t>(layout_.rows());
    layout_.append(sequence.suffix_rows, sequence.lookup, sequence.prefix_begin, sequence.lookup);
    lookup_rows_.push_back(first);
    lookup_facts_.push_back(sequence.fact);
    for (std::size_t i = 0; i < sequence.suffix_rows; ++i)
      base_rows.push_back(static_cast<std::int32_t>(sequence.suffix_begin + i));
    const float share = 1.0F / static_cast<float>(prompts_of[static_cast<std::size_t>(sequence.fact)]);
    for (const Label& label : sequence.labels) {
      read_rows_.push_back(first + label.position - static_cast<std::int32_t>(sequence.lookup));
      label_tokens_.push_back(label.token);
      label_facts_.push_back(sequence.fact);
      label_weights_.push_back(share / static_cast<float>(sequence.labels.size()));
    }
    if (sequence.labels.empty()) {
      divergence_rows.push_back(first);
      divergence_facts_.push_back(sequence.fact);
    }
  }
  read_rows_.insert(read_rows_.end(), divergence_rows.begin(), divergence_rows.end());
  backend.gather_rows(base_, base_rows, first_rows(arranged_base_, layout_.rows()));
  if (!reference_.empty()) {
    arranged_reference_ = Matrix<float>(backend, divergence_facts_.size(), reference_.cols());
    backend.gather_rows(reference_, divergence_facts_, arranged_reference_);
  }
}

void ValueSuffix::run_above(const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  const std::size_t n = layout_.rows(), reads = read_rows_.size();
  const MatrixView<float> output = first_rows(output_, reads);
  for (std::size_t k = 0; k < layers_.size(); ++k) {
    cancellation.check();
    Layer& layer = layers_[k];
    const ConstMatrixView<float> input = first_rows(layer.input, n);
    model_.attend(layer.index, layout_, input, layer.prefix(), layer.activations);
    const MatrixView<float> attention = first_rows(layer.activations.attention, n);
    if (k + 1 < layers_.size()) {
      const MatrixView<float> next = first_rows(layers_[k + 1].input, n);
      backend.copy(input, next);
      model_.expand(layer.index, attention, next, first_rows(layer.norm_input, n), layer.activations);
      model_.contract(layer.index, first_rows(layer.activations.activation, n), next);
    } else {
      // Only what is read goes on: the feed-forward part of the last layer is most of its work.
      const MatrixView<float> read_attention = first_rows(read_attention_, reads);
      backend.gather_rows(input, read_rows_, output);
      backend.gather_rows(attention, read_rows_, read_attention);
      model_.expand(layer.index, read_attention, output, first_rows(layer.norm_input, reads), layer.activations);
      model_.contract(layer.index, first_rows(layer.activations.activation, reads), output);
    }
  }
}

ValueSuffix::Losses ValueSuffix::forward(ConstMatrixView<float> delta, float kl_factor,
                                         const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  const std::size_t n = layout_.rows(), reads = read_rows_.size();
  const MatrixView<float> start = layers_.empty() ? first_rows(x_gradient_, n) : first_rows(layers_[0].input, n);
  Matrix<float> added(backend, lookup_facts_.size(), delta.cols);
  backend.copy(first_rows(arranged_base_, n), start);
  backend.gather_rows(delta, lookup_facts_, added);
  backend.scatter_add_rows(added, lookup_rows_, std::vector<float>(lookup_rows_.size(), 1.0F), start);
  if (layers_.empty())  // the optimised block is the last one
    backend.gather_rows(start, read_rows_, first_rows(output_, reads));
  else
    run_above(cancellation);

  model_.final_norm(first_rows(output_, reads), first_rows(normed_, reads), first_entries(normed_mean_, reads),
                    first_entries(normed_scale_, reads));
  Losses losses{std::vector<float>(facts_), std::vector<float>(facts_)};
  read_likelihood(losses);
  read_divergence(losses, kl_factor);
  return losses;
}

// Both readers leave the gradient of the loss in normed_, in place of what they have read: logits are too large to
// keep.

void ValueSuffix::read_likelihood(Losses& losses) {
  Backend& backend = model_.backend();
  const std::size_t labels = label_tokens_.size();
  for (std::size_t begin = 0; begin < labels; begin += logits_.rows()) {
    const std::size_t count = std::min(logits_.rows(), labels - begin);
    const MatrixView<float> normed = normed_.view().row_range(begin, count), logits = first_rows(logits_, count);
    model_.head(normed, logits);
    const MatrixView<float> row_losses = first_entries(losses_, count);
    backend.cross_entropy(std::span(label_tokens_).subspan(begin, count),
                          std::span(label_weights_).subspan(begin, count), logits, row_losses);
    model_.head_backward(logits, normed);
    const std::vector<float> host = download<float>(backend, row_losses);
    for (std::size_t i = 0; i < count; ++i)
      losses.likelihood[static_cast<std::size_t>(label_facts_[begin + i])] += label_weights_[begin + i] * host[i];
  }
}

void ValueSuffix::read_divergence(Losses& losses, float kl_factor) {
  Backend& backend = model_.backend();
  const std::size_t labels = label_tokens_.size(), count_all = divergence_facts_.size();
  const bool first = reference_.empty();
  if (first) arranged_reference_ = Matrix<float>(backend, count_all, logits_.cols());
  for (std::size_t begin = 0; begin < count_all; begin += logits_.rows()) {
    const std::size_t count = std::min(logits_.rows(), count_all - begin);
    const MatrixView<float> normed = normed_.view().row_range(labels + begin, count),
                            logits = first_rows(logits_, count),
                            reference = arranged_reference_.view().row_range(begin, count);
    model_.head(normed, logits);
    if (first) backend.log_softmax(logits, reference);
    const MatrixView<float> row_losses = first_entries(losses_, count);
    backend.kullback_leibler(reference, std::vector<float>(count, kl_factor), logits, row_losses);
    model_.head_backward(logits, normed);
    const std::vector<float> host = download<float>(backend, row_losses);
    for (std::size_t i = 0; i < count; ++i)
      losses.divergence[static_cast<std::size_t>(divergence_facts_[begin + i])] = host[i];
  }
  if (first) {
    reference_ = Matrix<float>(backend, facts_, logits_.cols());
    backend.scatter_rows(arranged_reference_, divergence_facts_, reference_);
  }
}

void ValueSuffix::run_above_backward() {
  Backend& backend = model_.backend();
  const std::size_t n = layout_.rows(), reads = read_rows_.size();
  const MatrixView<float> x_gradient = first_rows(x_gradient_, n), attention = first_rows(gradients_.attention, n);
  const MatrixView<float> output_gradient = first_rows(output_gradient_, reads);
  for (std::size_t k = layers_.size(); k-- > 0;) {
    Layer& layer = layers_[k];
    if (k + 1 == layers_.size()) {
      const MatrixView<float> read_attention = first_rows(read_attention_, reads);
      model_.expand_backward(layer.index, first_rows(layer.norm_input, reads), layer.activations,
                             first_rows(layer.activations.activation, reads), read_attention, output_gradient);
      backend.fill(0.0F, attention);
      backend.scatter_rows(read_attention, read_rows_, attention);
      backend.fill(0.0F, x_gradient);
      backend.scatter_rows(output_gradient, read_rows_, x_gradient);
    } else {
      model_.expand_backward(layer.index, first_rows(layer.norm_input, n), layer.activations,
                             first_rows(layer.activations.activation, n), attention, x_gradient);
    }
    model_.attend_backward(layer.index, layout_, first_rows(layer.input, n), layer.prefix(), layer.activations,
                           gradients_, x_gradient);
  }
}

void ValueSuffix::backward(MatrixView<float> delta_gradient) {
  Backend& backend = model_.backend();
  const std::size_t n = layout_.rows(), reads = read_rows_.size();
  const MatrixView<float> output_gradient = first_rows(output_gradient_, reads);
  backend.fill(0.0F, output_gradient);
  model_.final_norm_backward(first_rows(normed_, reads), first_rows(output_, reads), first_entries(normed_mean_, reads),
                             first_entries(normed_scale_, reads), output_gradient);
  const MatrixView<float> x_gradient = first_rows(x_gradient_, n);
  if (layers_.empty()) {
    backend.fill(0.0F, x_gradient);
    backend.scatter_rows(output_gradient, read_rows_, x_gradient);
  } else {
    run_above_backward();
  }
  Matrix<float> at_lookups(backend, lookup_rows_.size(), x_gradient.cols);
  backend.gather_rows(x_gradient, lookup_rows_, at_lookups);
  backend.fill(0.0F, delta_gradient);
  backend.scatter_add_rows(at_lookups, lookup_facts_, std::vector<float>(lookup_facts_.size(), 1.0F), delta_gradient);
}

}  // namespace lyaplock
