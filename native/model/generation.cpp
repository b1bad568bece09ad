#include "model/generation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/forward.h"

namespace lyaplock {

namespace {

/// One of k candidates [k], as probable among them as their probabilities say.
std::size_t draw_candidate(std::span<const float> probabilities, std::mt19937_64& stream) {
  double total = 0;
  for (const float p : probabilities) total += p;
  if (!std::isfinite(total))
    throw Error(ErrorCode::not_finite, "The model's logits hold NaN or infinity; its weights may be damaged");
  // 53 random bits, by hand: the distributions of the standard library differ between platforms.
  const double uniform = static_cast<double>(stream() >> 11) * 0x1.0p-53;
  double left = uniform * total;
  std::size_t chosen = 0;
  while (chosen + 1 < probabilities.size() && left >= probabilities[chosen]) left -= probabilities[chosen++];
  return chosen;
}

}  // namespace

Generation::Scratch::Scratch(const Transformer& model, std::size_t rows, std::size_t sequences)
    : activations(model.make_activations(rows)),
      x(model.backend(), rows, model.description().width),
      last(model.backend(), sequences, model.description().width),
      normed(model.backend(), sequences, model.description().width),
      mean(model.backend(), 1, sequences),
      scale(model.backend(), 1, sequences),
      logits(model.backend(), std::min(sequences, logits_rows_at_once(model.description())),
             model.description().vocabulary) {}

Generation::Generation(Transformer& model, const TokenBatch& prompts, const GenerationOptions& options)
    : model_(model), options_(options) {
  prompts.validate(model.description());
  if (options.top_k == 0) throw Error(ErrorCode::invalid_argument, "top-k must be 1 or more");
  if (options.max_length > model.description().positions)
    throw Error(ErrorCode::invalid_argument, "A length of " + std::to_string(options.max_length) +
                                                 " tokens is over the model's " +
                                                 std::to_string(model.description().positions) + " positions");
  std::size_t rows = 0;
  for (std::size_t s = 0; s < prompts.sequences(); ++s) {
    const auto prompt = prompts.sequence(s);
    std::seed_seq seed{static_cast<std::uint32_t>(options.seed), static_cast<std::uint32_t>(options.seed >> 32),
                       static_cast<std::uint32_t>(s)};
    sequences_.push_back({0, {prompt.begin(), prompt.end()}, rows, std::mt19937_64(seed)});
    // Nothing follows the token drawn last, so its key and value are never made.
    if (prompt.size() < options.max_length) rows += options.max_length - 1;
  }
  if (rows > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw Error(ErrorCode::invalid_argument, std::to_string(prompts.sequences()) + " texts of " +
                                                 std::to_string(options.max_length) +
                                                 " tokens are too many at once; generate them in several batches");
  const std::size_t width = model.description().key_value_heads * model.description().head_width;
  for (std::size_t layer = 0; layer < model.description().layers; ++layer) {
    keys_.emplace_back(model.backend(), rows, width);
    values_.emplace_back(model.backend(), rows, width);
  }
}

Generation::Scratch& Generation::scratch(std::size_t rows, std::size_t sequences) {
  // The prompts have many rows, what comes after them has one for each sequence: their memory is not kept for it.
  const std::size_t kept = scratch_ ? scratch_->x.rows() : 0;
  if (kept < rows || kept > 4 * rows || scratch_->last.rows() < sequences) {
    scratch_.reset();
    scratch_.emplace(model_, rows, sequences);
  }
  return *scratch_;
}

Generation::Drawn Generation::step(const Cancellation& cancellation) {
  Drawn drawn;
  std::vector<std::int32_t> tokens, cache_rows, last_rows;
  RowLayout layout;
  for (std::size_t s = 0; s < sequences_.size(); ++s) {
    const Sequence& sequence = sequences_[s];
    if (sequence.length() >= options_.max_length) continue;
    drawn.sequences.push_back(static_cast<std::int32_t>(s));
    layout.append(sequence.unread.size(), sequence.known, sequence.first_row, sequence.known);
    tokens.insert(tokens.end(), sequence.unread.begin(), sequence.unread.end());
    for (std::size_t row = sequence.known; row < sequence.length(); ++row)
      cache_rows.push_back(static_cast<std::int32_t>(sequence.first_row + row));
    last_rows.push_back(static_cast<std::int32_t>(tokens.size() - 1));
  }
  if (drawn.sequences.empty()) return drawn;

  Backend& backend = model_.backend();
  const std::size_t n = layout.rows(), count = last_rows.size();
  Scratch& scratch = this->scratch(n, count);
  BlockActivations& activations = scratch.activations;
  const MatrixView<float> x = first_rows(scratch.x, n), last = first_rows(scratch.last, count);
  model_.embed(tokens, layout, x);
  for (std::size_t layer = 0; layer < model_.description().layers; ++layer) {
    cancellation.check();
    model_.block(layer, layout, x, {keys_[layer].view(), values_[layer].view()}, activations);
    backend.scatter_rows(first_rows(activations.key, n), cache_rows, keys_[layer]);
    backend.scatter_rows(first_rows(activations.value, n), cache_rows, values_[layer]);
  }
  backend.gather_rows(x, last_rows, last);
  model_.final_norm(last, first_rows(scratch.normed, count), first_entries(scratch.mean, count),
                    first_entries(scratch.scale, count));
  drawn.tokens = draw(drawn.sequences, scratch);

  for (std::size_t i = 0; i < count; ++i) {
    Sequence& sequence = sequences_[static_cast<std::size_t>(drawn.sequences[i])];
    sequence.known = sequence.length();
    sequence.unread.assign(1, drawn.tokens[i]);
  }
  return drawn;
}

std::vector<std::int32_t> Generation::draw(const std::vector<std::int32_t>& unfinished, Scratch& scratch) {
  const std::size_t k = std::min(options_.top_k, scratch.logits.cols()), at_once = scratch.logits.rows();
  std::vector<std::int32_t> tokens;
  std::vector<std::mt19937_64> streams;  // as they are after the draws
  std::vector<float> probabilities(at_once * k);
  std::vector<std::int32_t> ids(at_once * k);
  for (std::size_t begin = 0; begin < unfinished.size(); begin += at_once) {
    const std::size_t count = std::min(at_once, unfinished.size() - begin);
    const MatrixView<float> logits = first_rows(scratch.logits, count);
    model_.head(scratch.normed.view().row_range(begin, count), logits);
    model_.backend().top_k(logits, k, std::span(probabilities).first(count * k), std::span(ids).first(count * k));
    for (std::size_t i = 0; i < count; ++i) {
      streams.push_back(sequences_[static_cast<std::size_t>(unfinished[begin + i])].stream);
      const std::span<const float> candidates = std::span(probabilities).subspan(i * k, k);
      tokens.push_back(ids[i * k + draw_candidate(candidates, streams.back())]);
    }
  }
  for (std::size_t i = 0; i < unfinished.size(); ++i)
    sequences_[static_cast<std::size_t>(unfinished[i])].stream = streams[i];
  return tokens;
}

}  // namespace lyaplock
