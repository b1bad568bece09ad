#include "model/forward.h"

#include <algorithm>

namespace lyaplock {

namespace {

void check_rows(const TokenBatch& batch, std::span<const std::int32_t> rows) {
  for (const std::int32_t row : rows)
    if (row < 0 || static_cast<std::size_t>(row) >= batch.tokens.size())
      throw Error(ErrorCode::invalid_argument, "Row " + std::to_string(row) + " is not one of the batch's " +
                                                   std::to_string(batch.tokens.size()) + " tokens");
}

/// Final hidden states, normed, at chosen rows [rows, m]. The last block's feed-forward part, most of its work, runs
/// for those rows alone.
Matrix<float> final_states(Transformer& model, const TokenBatch& batch, std::span<const std::int32_t> rows,
                           const Cancellation& cancellation) {
  batch.validate(model.description());
  check_rows(batch, rows);
  Backend& backend = model.backend();
  const ModelDescription& description = model.description();
  const RowLayout layout = RowLayout::of(batch);
  BlockActivations activations = model.make_activations(std::max(layout.rows(), rows.size()));
  Matrix<float> x(backend, layout.rows(), description.width);
  model.embed(batch.tokens, layout, x);
  const std::size_t last = description.layers - 1;
  for (std::size_t layer = 0; layer < last; ++layer) {
    cancellation.check();
    model.block(layer, layout, x, {}, activations);
  }

  model.attend(last, layout, x, {}, activations);
  Matrix<float> attention(backend, rows.size(), activations.attention.cols());
  Matrix<float> chosen(backend, rows.size(), description.width);
  backend.gather_rows(first_rows(activations.attention, layout.rows()), rows, attention);
  backend.gather_rows(x, rows, chosen);
  model.expand(last, attention, chosen, {}, activations);
  model.contract(last, first_rows(activations.activation, rows.size()), chosen);

  Matrix<float> normed(backend, rows.size(), description.width);
  Matrix<float> mean(backend, 1, rows.size()), scale(backend, 1, rows.size());
  model.final_norm(chosen, normed, mean, scale);
  return normed;
}

}  // namespace

std::size_t logits_rows_at_once(const ModelDescription& model) {
  return std::max<std::size_t>(16, (std::size_t{1} << 26) / model.vocabulary);
}

Matrix<float> logits_of(Transformer& model, const TokenBatch& batch, std::span<const std::int32_t> rows,
                        const Cancellation& cancellation) {
  const Matrix<float> states = final_states(model, batch, rows, cancellation);
  Matrix<float> logits = model.memory_for_logits(rows.size());
  model.head(states, logits);
  model.backend().synchronize();
  return logits;
}

Scores score(Transformer& model, const TokenBatch& batch, std::span<const std::int32_t> rows,
             std::span<const std::int32_t> targets, const Cancellation& cancellation) {
  if (rows.size() != targets.size())
    throw Error(ErrorCode::shape, std::to_string(rows.size()) + " rows cannot be scored against " +
                                      std::to_string(targets.size()) + " targets");
  for (const std::int32_t target : targets)
    if (target < 0 || static_cast<std::size_t>(target) >= model.description().vocabulary)
      throw Error(ErrorCode::invalid_argument, "Target " + std::to_string(target) + " is not in the vocabulary");

  // Several queries often ask about one row: its logits are made once.
  std::vector<std::int32_t> distinct(rows.begin(), rows.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const Matrix<float> states = final_states(model, batch, distinct, cancellation);

  Backend& backend = model.backend();
  std::vector<std::size_t> order(rows.size());
  for (std::size_t j = 0; j < order.size(); ++j) order[j] = j;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });

  Scores scores{std::vector<float>(rows.size()), std::vector<std::int32_t>(rows.size())};
  const std::size_t at_once = std::min(logits_rows_at_once(model.description()), distinct.size());
  Matrix<float> logits(backend, at_once, model.description().vocabulary);
  std::size_t next = 0;  // in `order`
  for (std::size_t begin = 0; begin < distinct.size(); begin += at_once) {
    cancellation.check();
    const std::size_t count = std::min(at_once, distinct.size() - begin);
    const MatrixView<float> block = first_rows(logits, count);
    model.head(states.view().row_range(begin, count), block);

    const std::size_t first = next;
    std::vector<std::int32_t> block_rows, block_targets;
    for (std::size_t row = begin; row < begin + count; ++row)
      for (; next < order.size() && rows[order[next]] == distinct[row]; ++next) {
        block_rows.push_back(static_cast<std::int32_t>(row - begin));
        block_targets.push_back(targets[order[next]]);
      }
    Matrix<float> losses(backend, 1, block_rows.size());
    std::vector<std::int32_t> greedy(block_rows.size());
    backend.score(block, block_rows, block_targets, losses, greedy);
    const std::vector<float> host = download<float>(backend, losses.view());
    for (std::size_t j = 0; j < host.size(); ++j) {
      scores.losses[order[first + j]] = host[j];
      scores.greedy[order[first + j]] = greedy[j];
    }
  }
  return scores;
}

void for_each_key(Transformer& model, const TokenBatch& batch, std::span<const std::size_t> layers,
                  const std::function<void(std::size_t, ConstMatrixView<float>)>& take,
                  const Cancellation& cancellation) {
  batch.validate(model.description());
  const RowLayout layout = RowLayout::of(batch);
  const std::size_t n = layout.rows();
  BlockActivations activations = model.make_activations(n);
  Matrix<float> x(model.backend(), n, model.description().width);
  model.embed(batch.tokens, layout, x);
  std::size_t wanted = 0;
  for (std::size_t layer = 0; wanted < layers.size(); ++layer) {
    cancellation.check();
    if (layers[wanted] >= model.description().layers || layers[wanted] < layer)
      throw Error(ErrorCode::invalid_argument, "Layers must rise and lie below " +
                                                   std::to_string(model.description().layers) + "; received " +
                                                   std::to_string(layers[wanted]));
    model.attend(layer, layout, x, {}, activations);
    model.expand(layer, first_rows(activations.attention, n), x, {}, activations);
    const ConstMatrixView<float> activation = first_rows(activations.activation, n);
    if (layer == layers[wanted]) take(wanted++, activation);
    if (wanted < layers.size()) model.contract(layer, activation, x);
  }
}

}  // namespace lyaplock
