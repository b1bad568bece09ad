#include "model/tracing.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lyaplock {

namespace {

/// Rows that go through together, where a token of one prompt does not need more: enough for products to be bound by
/// arithmetic, and few enough to stay in caches between the steps of a block.
constexpr std::size_t kRowsAtOnce = 1024;
/// Rows of logits: few, since vocabularies are large.
constexpr std::size_t kLogitsAtOnce = 64;

TracedPrompt checked(TracedPrompt prompt, const ModelDescription& model, ConstMatrixView<float> noise) {
  const auto fail = [](const std::string& message) { throw Error(ErrorCode::invalid_argument, message); };
  const std::size_t tokens = prompt.tokens.size(), begin = prompt.subject_begin, end = prompt.subject_end;
  if (begin >= end || end > tokens)
    fail("A subject must have tokens, and they must be the prompt's; received " + std::to_string(begin) + " to " +
         std::to_string(end) + " of " + std::to_string(tokens));
  if (noise.rows == 0 || noise.rows % (end - begin) != 0 || noise.cols != model.width)
    fail("Noise must have rows of width " + std::to_string(model.width) + ", " + std::to_string(end - begin) +
         " for each copy; received [" + std::to_string(noise.rows) + ", " + std::to_string(noise.cols) + "]");
  if (prompt.answer < 0 || static_cast<std::size_t>(prompt.answer) >= model.vocabulary)
    fail("The answer " + std::to_string(prompt.answer) + " is not in the model's vocabulary");
  return prompt;
}

std::size_t most_rows(std::size_t tokens, std::size_t copies) { return std::max(kRowsAtOnce, (copies + 1) * tokens); }

Matrix<float> copy_of(Backend& backend, ConstMatrixView<float> x) {
  Matrix<float> copy(backend, x.rows, x.cols);
  backend.copy(x, copy);
  return copy;
}

float mean(std::span<const float> values) {
  return static_cast<float>(std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()));
}

}  // namespace

Tracing::Tracing(Transformer& model, TracedPrompt prompt, ConstMatrixView<float> noise,
                 const Cancellation& cancellation)
    : model_(model),
      prompt_(checked(std::move(prompt), model.description(), noise)),
      copies_(noise.rows / (prompt_.subject_end - prompt_.subject_begin)),
      activations_(model.make_activations(most_rows(prompt_.tokens.size(), copies_))),
      logits_(model.backend(), kLogitsAtOnce, model.description().vocabulary) {
  TokenBatch batch;
  for (std::size_t run = 0; run <= copies_; ++run) batch.append(prompt_.tokens);
  batch.validate(model.description());
  run(batch, noise, cancellation);
}

void Tracing::run(const TokenBatch& batch, ConstMatrixView<float> noise, const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  const RowLayout layout = RowLayout::of(batch);
  const std::size_t tokens = prompt_.tokens.size(), n = layout.rows();
  Matrix<float> x(backend, n, model_.description().width);
  model_.embed(batch.tokens, layout, x);
  std::vector<std::int32_t> subject_rows, last_rows;
  for (std::size_t run = 0; run <= copies_; ++run) {
    last_rows.push_back(static_cast<std::int32_t>((run + 1) * tokens - 1));
    for (std::size_t token = prompt_.subject_begin; run > 0 && token < prompt_.subject_end; ++token)
      subject_rows.push_back(static_cast<std::int32_t>(run * tokens + token));
  }
  backend.scatter_add_rows(noise, subject_rows, std::vector<float>(subject_rows.size(), 1.0F), x);
  embedded_ = copy_of(backend, x);

  for (std::size_t layer = 0; layer < model_.description().layers; ++layer) {
    cancellation.check();
    model_.block(layer, layout, x, {}, activations_);
    layers_.push_back({copy_of(backend, x), copy_of(backend, first_rows(activations_.key, n)),
                       copy_of(backend, first_rows(activations_.value, n)),
                       copy_of(backend, first_rows(activations_.attention, tokens)),
                       copy_of(backend, first_rows(activations_.activation, tokens))});
  }
  Matrix<float> last(backend, last_rows.size(), x.cols());
  backend.gather_rows(x, last_rows, last);
  const std::vector<float> found = probabilities(last);
  high_ = found[0];
  low_ = mean(std::span(found).subspan(1));
}

std::vector<float> Tracing::scores(TracedKind kind, std::size_t window, std::size_t begin, std::size_t end,
                                   const Cancellation& cancellation) {
  if (begin > end || end > prompt_.tokens.size())
    throw Error(ErrorCode::invalid_argument, "There are no tokens " + std::to_string(begin) + " to " +
                                                 std::to_string(end) + " in a prompt of " +
                                                 std::to_string(prompt_.tokens.size()));
  if (kind != TracedKind::state && window < 2)
    throw Error(ErrorCode::invalid_argument, "A window must have two layers or more");
  const std::size_t layers = layers_.size();
  // Before the subject nothing is corrupted, so that nothing is restored there either.
  std::vector<double> sums((end - begin) * layers, 0.0);
  const std::vector<Restoration> all = restorations(kind, window, std::max(begin, prompt_.subject_begin), end);
  for (std::size_t first = 0; first < all.size();) {
    std::size_t last = first, rows = 0;
    do {
      rows += rows_of(all[last++]);
    } while (last < all.size() && rows + rows_of(all[last]) <= kRowsAtOnce);
    const std::span together = std::span(all).subspan(first, last - first);
    const std::vector<float> found = run_together(together, kind, cancellation);
    for (std::size_t run = 0; run < found.size(); ++run)
      sums[(together[run].token - begin) * layers + together[run].layer] += static_cast<double>(found[run]);
    first = last;
  }
  std::vector<float> scores(sums.size(), low_);
  for (const Restoration& restoration : all) {
    const std::size_t i = (restoration.token - begin) * layers + restoration.layer;
    scores[i] = static_cast<float>(sums[i] / static_cast<double>(copies_));
  }
  return scores;
}

/// Of tokens [begin, end), of every layer and copy, in the order of the layers that they begin in.
std::vector<Tracing::Restoration> Tracing::restorations(TracedKind kind, std::size_t window, std::size_t begin,
                                                        std::size_t end) const {
  const std::size_t layers = layers_.size(), half = window / 2;
  std::vector<Restoration> all;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const bool alone = kind == TracedKind::state;
    const std::size_t first = alone ? layer : layer - std::min(layer, half);
    const std::size_t behind = alone ? layer + 1 : std::min(layers, layer + half);
    for (std::size_t token = begin; token < end; ++token)
      for (std::size_t copy = 0; copy < copies_; ++copy) all.push_back({token, copy, layer, first, behind});
  }
  return all;
}

/// The answer's probability in every run.
std::vector<float> Tracing::run_together(std::span<const Restoration> restorations, TracedKind kind,
                                         const Cancellation& cancellation) {
  const std::size_t layers = layers_.size();
  std::size_t rows = 0;
  for (const Restoration& restoration : restorations) rows += rows_of(restoration);
  Matrix<float> x(model_.backend(), rows, model_.description().width);
  Wave wave;
  for (std::size_t layer = restorations.front().begin; layer < layers; ++layer) {
    cancellation.check();
    if (wave.layout.rows() > 0) pass(layer, wave, kind, first_rows(x, wave.layout.rows()));
    const std::span rest = restorations.subspan(wave.restored.size());
    const auto later = std::ranges::find_if(rest, [layer](const Restoration& one) { return one.begin > layer; });
    begin(rest.first(static_cast<std::size_t>(later - rest.begin())), kind, wave, x);
  }
  Matrix<float> last(model_.backend(), wave.last.size(), x.cols());
  model_.backend().gather_rows(x, wave.last, last);
  return probabilities(last);
}

/// x [rows of the wave, m] goes through a layer; of the last one, only rows that predict the answer.
void Tracing::pass(std::size_t layer, const Wave& wave, TracedKind kind, MatrixView<float> x) {
  Backend& backend = model_.backend();
  const std::size_t runs = wave.restored.size();
  const auto first = std::ranges::upper_bound(wave.end, layer) - wave.end.begin();
  const std::span tokens = std::span(wave.at_token).subspan(static_cast<std::size_t>(first));
  const std::span restored = std::span(wave.restored).subspan(static_cast<std::size_t>(first));

  const MatrixView<float> attention = first_rows(activations_.attention, x.rows);
  model_.attend(layer, wave.layout, x, prefix(layer), activations_);
  if (kind == TracedKind::attention) restore(layers_[layer].attention, tokens, restored, attention);
  if (layer + 1 < layers_.size()) {
    const MatrixView<float> activation = first_rows(activations_.activation, x.rows);
    model_.expand(layer, attention, x, {}, activations_);
    if (kind == TracedKind::feed_forward) restore(layers_[layer].activation, tokens, restored, activation);
    return model_.contract(layer, activation, x);
  }

  Matrix<float> last(backend, runs, x.cols), last_attention(backend, runs, attention.cols);
  backend.gather_rows(x, wave.last, last);
  backend.gather_rows(attention, wave.last, last_attention);
  const MatrixView<float> activation = first_rows(activations_.activation, runs);
  model_.expand(layer, last_attention, last, {}, activations_);
  if (kind == TracedKind::feed_forward) {
    std::vector<std::int32_t> of_last;  // where the prompt's last token is restored
    for (auto run = static_cast<std::size_t>(first); run < runs; ++run)
      if (wave.restored[run] == wave.last[run]) of_last.push_back(static_cast<std::int32_t>(run));
    const std::vector<std::int32_t> at_end(of_last.size(), static_cast<std::int32_t>(prompt_.tokens.size() - 1));
    restore(layers_[layer].activation, at_end, of_last, activation);
  }
  model_.contract(layer, activation, last);
  backend.scatter_rows(last, wave.last, x);
}

/// Adds runs that begin in one layer, and their rows of that layer's output to x, where restoring has changed the
/// restored token's row alone.
void Tracing::begin(std::span<const Restoration> restorations, TracedKind kind, Wave& wave, MatrixView<float> x) {
  if (restorations.empty()) return;
  Backend& backend = model_.backend();
  const std::size_t layer = restorations.front().begin, tokens = prompt_.tokens.size(), runs = restorations.size();
  const std::size_t first_run = wave.restored.size(), first_row = wave.layout.rows();
  std::vector<std::int32_t> rows;   // in the corrupted runs
  RowLayout layout;                 // of the restored rows alone
  std::vector<std::int32_t> below;  // and these in the corrupted runs
  for (const auto& [token, copy, at, begin, end] : restorations) {
    const std::size_t corrupted = (copy + 1) * tokens;
    wave.restored.push_back(static_cast<std::int32_t>(wave.layout.rows()));
    wave.at_token.push_back(static_cast<std::int32_t>(token));
    wave.end.push_back(end);
    wave.layout.append(tokens - token, token, corrupted, token);
    wave.last.push_back(static_cast<std::int32_t>(wave.layout.rows() - 1));
    for (std::size_t row = token; row < tokens; ++row) rows.push_back(static_cast<std::int32_t>(corrupted + row));
    layout.append(1, token, corrupted, token);
    below.push_back(static_cast<std::int32_t>(corrupted + token));
  }
  backend.gather_rows(layers_[layer].output, rows, x.row_range(first_row, rows.size()));
  const std::span at_token = std::span(wave.at_token).subspan(first_run);
  const std::span at_rows = std::span(wave.restored).subspan(first_run);
  if (kind == TracedKind::state) return restore(layers_[layer].output, at_token, at_rows, x);

  Matrix<float> restored(backend, runs, x.cols);
  backend.gather_rows(layer == 0 ? embedded_ : layers_[layer - 1].output, below, restored);
  const MatrixView<float> attention = first_rows(activations_.attention, runs);
  const MatrixView<float> activation = first_rows(activations_.activation, runs);
  model_.attend(layer, layout, restored, prefix(layer), activations_);
  if (kind == TracedKind::attention) backend.gather_rows(layers_[layer].attention, at_token, attention);
  model_.expand(layer, attention, restored, {}, activations_);
  if (kind == TracedKind::feed_forward) backend.gather_rows(layers_[layer].activation, at_token, activation);
  model_.contract(layer, activation, restored);
  backend.scatter_rows(restored, at_rows, x);
}

/// into(rows[i], :) = clean(tokens[i], :). Of attention and feed-forward part it is what their output maps read that is
/// restored: the maps are linear and go row by row, so that their outputs are too.
void Tracing::restore(const Matrix<float>& clean, std::span<const std::int32_t> tokens,
                      std::span<const std::int32_t> rows, MatrixView<float> into) {
  if (rows.empty()) return;
  Matrix<float> chosen(model_.backend(), rows.size(), into.cols);
  model_.backend().gather_rows(clean, tokens, chosen);
  model_.backend().scatter_rows(chosen, rows, into);
}

/// The answer's after each of these last rows [runs, m] of the residual stream.
std::vector<float> Tracing::probabilities(ConstMatrixView<float> x) {
  Backend& backend = model_.backend();
  Matrix<float> normed(backend, x.rows, x.cols), norm_mean(backend, 1, x.rows), norm_scale(backend, 1, x.rows);
  model_.final_norm(x, normed, norm_mean, norm_scale);
  std::vector<float> found;
  for (std::size_t begin = 0; begin < x.rows; begin += logits_.rows()) {
    const std::size_t count = std::min(logits_.rows(), x.rows - begin);
    const MatrixView<float> logits = first_rows(logits_, count);
    model_.head(normed.view().row_range(begin, count), logits);
    std::vector<std::int32_t> rows(count), greedy(count);
    std::iota(rows.begin(), rows.end(), 0);
    Matrix<float> losses(backend, 1, count);
    backend.score(logits, rows, std::vector<std::int32_t>(count, prompt_.answer), losses, greedy);
    for (const float loss : download<float>(backend, losses.view())) found.push_back(std::exp(-loss));
  }
  return found;
}

double embedding_deviation(const Transformer& model, std::span<const std::int32_t> tokens) {
  const ModelDescription& description = model.description();
  const std::size_t m = description.width;
  for (const std::int32_t token : tokens)
    if (token < 0 || static_cast<std::size_t>(token) >= description.vocabulary)
      throw Error(ErrorCode::invalid_argument, "Token " + std::to_string(token) + " is not in the model's vocabulary");
  const double count = static_cast<double>(tokens.size()) * static_cast<double>(m);
  if (count < 2) throw Error(ErrorCode::invalid_argument, "A deviation needs two numbers or more");

  Backend& backend = model.backend();
  double sum = 0, squares = 0;
  for (std::size_t begin = 0; begin < tokens.size(); begin += kRowsAtOnce) {
    const std::size_t rows = std::min(kRowsAtOnce, tokens.size() - begin);
    Matrix<float> embeddings(backend, rows, m), ones(backend, rows, m);
    const std::span<const std::int32_t> some = tokens.subspan(begin, rows);
    model.embed_tokens(some, embeddings);
    backend.fill(1.0F, ones);
    sum += backend.dot(embeddings.view(), ones.view());
    squares += backend.dot(embeddings.view(), embeddings.view());
  }
  return std::sqrt(std::max(0.0, squares - sum * sum / count) / (count - 1));
}

}  // namespace lyaplock
