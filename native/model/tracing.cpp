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
  std::vector<float> scores((end - begin) * layers, low_);
  for (std::size_t first = std::max(begin, prompt_.subject_begin); first < end;) {
    const Group together = group(first, group_end(first, end));
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const std::size_t half = window / 2;
      const Window restored = kind == TracedKind::state
                                  ? Window{layer, layer + 1}
                                  : Window{layer > half ? layer - half : 0, std::min(layers, layer + half)};
      const std::vector<float> found = run_group(together, kind, restored, cancellation);
      for (std::size_t token = first; token < together.end_token; ++token)
        scores[(token - begin) * layers + layer] = mean(std::span(found).subspan((token - first) * copies_, copies_));
    }
    first = together.end_token;
  }
  return scores;
}

std::size_t Tracing::group_end(std::size_t first_token, std::size_t end_token) const {
  const std::size_t tokens = prompt_.tokens.size();
  std::size_t end = first_token + 1;
  for (std::size_t rows = copies_ * (tokens - first_token); end < end_token; ++end) {
    rows += copies_ * (tokens - end);
    if (rows > kRowsAtOnce) break;
  }
  return end;
}

Tracing::Group Tracing::group(std::size_t first_token, std::size_t end_token) const {
  const std::size_t tokens = prompt_.tokens.size();
  Group group{first_token, end_token, {}, {}, {}, {}, {}, {}};
  for (std::size_t token = first_token; token < end_token; ++token)
    for (std::size_t run = 1; run <= copies_; ++run) {
      if (token + 1 == tokens) group.restored_end.push_back(static_cast<std::int32_t>(group.restored.size()));
      group.restored.push_back(static_cast<std::int32_t>(group.layout.rows()));
      group.at_token.push_back(static_cast<std::int32_t>(token));
      group.layout.append(tokens - token, token, run * tokens, token);
      group.last.push_back(static_cast<std::int32_t>(group.layout.rows() - 1));
      for (std::size_t row = token; row < tokens; ++row)
        group.corrupted.push_back(static_cast<std::int32_t>(run * tokens + row));
    }
  return group;
}

/// The answer's probability in every run of the group.
std::vector<float> Tracing::run_group(const Group& group, TracedKind kind, Window window,
                                      const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  const std::size_t n = group.layout.rows(), runs = group.last.size(), layers = layers_.size();
  Matrix<float> x(backend, n, model_.description().width);
  start(group, kind, window, x);
  const auto restores = [&](TracedKind part, std::size_t layer) { return kind == part && layer < window.end; };
  for (std::size_t layer = window.begin + 1; layer + 1 < layers; ++layer) {
    cancellation.check();
    const MatrixView<float> attention = first_rows(activations_.attention, n);
    const MatrixView<float> activation = first_rows(activations_.activation, n);
    model_.attend(layer, group.layout, x, prefix(layer), activations_);
    if (restores(TracedKind::attention, layer))
      restore(layers_[layer].attention, group.at_token, group.restored, attention);
    model_.expand(layer, attention, x, {}, activations_);
    if (restores(TracedKind::feed_forward, layer))
      restore(layers_[layer].activation, group.at_token, group.restored, activation);
    model_.contract(layer, activation, x);
  }

  // In the last layer only what predicts the answer goes on from the attention.
  const std::size_t layer = layers - 1;
  Matrix<float> last(backend, runs, x.cols());
  backend.gather_rows(x, group.last, last);
  if (layer > window.begin) {
    model_.attend(layer, group.layout, x, prefix(layer), activations_);
    Matrix<float> attention(backend, runs, activations_.attention.cols());
    backend.gather_rows(first_rows(activations_.attention, n), group.last, attention);
    const std::vector<std::int32_t> at_end(group.restored_end.size(),
                                           static_cast<std::int32_t>(prompt_.tokens.size() - 1));
    if (restores(TracedKind::attention, layer))
      restore(layers_[layer].attention, at_end, group.restored_end, attention);
    model_.expand(layer, attention, last, {}, activations_);
    const MatrixView<float> activation = first_rows(activations_.activation, runs);
    if (restores(TracedKind::feed_forward, layer))
      restore(layers_[layer].activation, at_end, group.restored_end, activation);
    model_.contract(layer, activation, last);
  }
  return probabilities(last);
}

/// x [rows, m] = the output of the window's first layer, where restoring has changed the restored token's row alone.
void Tracing::start(const Group& group, TracedKind kind, Window window, MatrixView<float> x) {
  Backend& backend = model_.backend();
  const std::size_t layer = window.begin, runs = group.restored.size();
  backend.gather_rows(layers_[layer].output, group.corrupted, x);
  if (kind == TracedKind::state) return restore(layers_[layer].output, group.at_token, group.restored, x);

  RowLayout layout;
  std::vector<std::int32_t> rows;
  for (std::size_t run = 0; run < runs; ++run) {
    const AttentionSegment& segment = group.layout.segments[run];
    layout.append(1, segment.prefix_count, segment.prefix_begin, segment.prefix_count);
    rows.push_back(group.corrupted[segment.begin]);
  }
  Matrix<float> restored(backend, runs, x.cols);
  backend.gather_rows(layer == 0 ? embedded_ : layers_[layer - 1].output, rows, restored);
  const MatrixView<float> attention = first_rows(activations_.attention, runs);
  const MatrixView<float> activation = first_rows(activations_.activation, runs);
  model_.attend(layer, layout, restored, prefix(layer), activations_);
  if (kind == TracedKind::attention) backend.gather_rows(layers_[layer].attention, group.at_token, attention);
  model_.expand(layer, attention, restored, {}, activations_);
  if (kind == TracedKind::feed_forward) backend.gather_rows(layers_[layer].activation, group.at_token, activation);
  model_.contract(layer, activation, restored);
  backend.scatter_rows(restored, group.restored, x);
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
