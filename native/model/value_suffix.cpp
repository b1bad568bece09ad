#include "model/value_suffix.h"

#include <algorithm>

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

ValueSuffix::ValueSuffix(Transformer& model, const ValuePrompts& prompts, const ValueOptions& options,
                         const Cancellation& cancellation)
    : model_(model),
      facts_(prompts.bare.size()),
      above_(model, options.layer, total_suffix_rows(prompts), prompts.labels.size() + facts_) {
  Backend& backend = model.backend();
  const std::size_t m = model.description().width, rows = total_suffix_rows(prompts);
  base_ = Matrix<float>(backend, rows, m);
  arranged_base_ = Matrix<float>(backend, rows, m);
  initial_ = Matrix<float>(backend, facts_, m);

  run_below(prompts, options, cancellation);
  std::vector<std::int32_t> all(facts_);
  for (std::size_t fact = 0; fact < facts_; ++fact) all[fact] = static_cast<std::int32_t>(fact);
  arrange(all);
}

void ValueSuffix::run_below(const ValuePrompts& prompts, const ValueOptions& options,
                            const Cancellation& cancellation) {
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
    for (std::size_t below = 0; below <= options.layer; ++below) {
      cancellation.check();
      model_.block(below, layout, x, {}, activations);
    }
    if (options.place == ValuePlace::feed_forward_output) {
      Matrix<float> keys(backend, facts_, activations.activation.cols());
      backend.gather_rows(activations.activation, initial_rows, keys);
      backend.fill(0.0F, initial_);
      model_.contract(options.layer, keys, initial_);
    } else {
      backend.gather_rows(x, initial_rows, initial_);
    }
  }
  backend.gather_rows(x, suffix_rows, base_);
  Matrix<float> x_prefix(backend, prefix_rows.size(), x.cols());
  backend.gather_rows(x, prefix_rows, x_prefix);
  above_.keep_prefix(x_prefix, prefix, cancellation);
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

ValueSuffix::Losses ValueSuffix::forward(ConstMatrixView<float> delta, float kl_factor,
                                         const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  const std::size_t n = layout_.rows();
  const MatrixView<float> start = above_.input(n);
  Matrix<float> added(backend, lookup_facts_.size(), delta.cols);
  backend.copy(first_rows(arranged_base_, n), start);
  backend.gather_rows(delta, lookup_facts_, added);
  backend.scatter_add_rows(added, lookup_rows_, std::vector<float>(lookup_rows_.size(), 1.0F), start);
  above_.forward(layout_, read_rows_, cancellation);

  Losses losses{std::vector<float>(facts_), std::vector<float>(facts_)};
  const std::vector<float> likelihood = above_.cross_entropy(0, label_tokens_, label_weights_);
  for (std::size_t i = 0; i < likelihood.size(); ++i)
    losses.likelihood[static_cast<std::size_t>(label_facts_[i])] += label_weights_[i] * likelihood[i];
  read_divergence(losses, kl_factor);
  return losses;
}

void ValueSuffix::read_divergence(Losses& losses, float kl_factor) {
  Backend& backend = model_.backend();
  const std::size_t count = divergence_facts_.size(), vocabulary = model_.description().vocabulary;
  const bool first_time = reference_.empty();
  if (first_time) arranged_reference_ = Matrix<float>(backend, count, vocabulary);
  above_.read(label_tokens_.size(), count, [&](std::size_t first, MatrixView<float> logits) {
    const MatrixView<float> reference = arranged_reference_.view().row_range(first, logits.rows);
    if (first_time) backend.log_softmax(logits, reference);
    Matrix<float> divergences(backend, 1, logits.rows);
    backend.kullback_leibler(reference, std::vector<float>(logits.rows, kl_factor), logits, divergences);
    const std::vector<float> host = download<float>(backend, divergences.view());
    for (std::size_t i = 0; i < host.size(); ++i)
      losses.divergence[static_cast<std::size_t>(divergence_facts_[first + i])] = host[i];
  });
  if (first_time) {
    reference_ = Matrix<float>(backend, facts_, vocabulary);
    backend.scatter_rows(arranged_reference_, divergence_facts_, reference_);
  }
}

void ValueSuffix::backward(MatrixView<float> delta_gradient) {
  Backend& backend = model_.backend();
  Matrix<float> at_lookups(backend, lookup_rows_.size(), delta_gradient.cols);
  backend.gather_rows(above_.backward(), lookup_rows_, at_lookups);
  backend.fill(0.0F, delta_gradient);
  backend.scatter_add_rows(at_lookups, lookup_facts_, std::vector<float>(lookup_facts_.size(), 1.0F), delta_gradient);
}

}  // namespace lyaplock
