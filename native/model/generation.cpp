#include "model/generation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

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
  if (options.lengths.size() != prompts.sequences())
    throw Error(ErrorCode::shape, std::to_string(options.lengths.size()) + " lengths cannot be those of " +
                                      std::to_string(prompts.sequences()) + " prompts");
  std::size_t rows = 0;
  for (std::size_t s = 0; s < prompts.sequences(); ++s) {
    const auto prompt = prompts.sequence(s);
    const std::size_t length = options.lengths[s];
    if (length > model.description().positions)
      throw Error(ErrorCode::invalid_argument, "A length of " + std::to_string(length) +
                                                   " tokens is over the model's " +
                                                   std::to_string(model.description().positions) + " positions");
    std::seed_seq seed{static_cast<std::uint32_t>(options.seed), static_cast<std::uint32_t>(options.seed >> 32),
                       static_cast<std::uint32_t>(s)};
    sequences_.push_back({length, 0, {prompt.begin(), prompt.end()}, rows, std::mt19937_64(seed)});
    // Nothing follows the token drawn last, so its key and value are never made.
    if (prompt.size() < length) rows += length - 1;
  }
  if (rows > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw Error(ErrorCode::invalid_argument, std::to_string(prompts.sequences()) + " texts of " + std::to_string(rows) +
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

void Generation::append_unread(Rows& rows, const Sequence& sequence, std::size_t count) {
  rows.layout.append(count, sequence.known, sequence.first_row, sequence.known);
  for (std::size_t i = 0; i < count; ++i) {
    rows.tokens.push_back(sequence.unread[i]);
    rows.cache_rows.push_back(static_cast<std::int32_t>(sequence.first_row + sequence.known + i));
  }
}

void Generation::run(const Rows& rows, Scratch& scratch, const Cancellation& cancellation) {
  Backend& backend = model_.backend();
  const std::size_t n = rows.layout.rows();
  BlockActivations& activations = scratch.activations;
  const MatrixView<float> x = first_rows(scratch.x, n);
  model_.embed(rows.tokens, rows.layout, x);
  for (std::size_t layer = 0; layer < model_.description().layers; ++layer) {
    cancellation.check();
    model_.block(layer, rows.layout, x, {keys_[layer].view(), values_[layer].view()}, activations);
    if (rows.cache_rows.empty()) continue;
    backend.scatter_rows(first_rows(activations.key, n), rows.cache_rows, keys_[layer]);
    backend.scatter_rows(first_rows(activations.value, n), rows.cache_rows, values_[layer]);
  }
}

Generation::Drawn Generation::step(const Cancellation& cancellation) {
  Drawn drawn;
  std::vector<std::int32_t> last_rows;
  Rows rows;
  for (std::size_t s = 0; s < sequences_.size(); ++s) {
    const Sequence& sequence = sequences_[s];
    if (sequence.is_finished()) continue;
    drawn.sequences.push_back(static_cast<std::int32_t>(s));
    append_unread(rows, sequence, sequence.unread.size());
    last_rows.push_back(static_cast<std::int32_t>(rows.tokens.size() - 1));
  }
  if (drawn.sequences.empty()) return drawn;

  const std::size_t count = last_rows.size();
  Scratch& scratch = this->scratch(rows.layout.rows(), count);
  run(rows, scratch, cancellation);
  const MatrixView<float> last = first_rows(scratch.last, count);
  model_.backend().gather_rows(first_rows(scratch.x, rows.layout.rows()), last_rows, last);
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

void Generation::read_ahead(const Cancellation& cancellation) {
  Rows rows;
  for (const Sequence& sequence : sequences_)
    if (!sequence.is_finished() && sequence.unread.size() > 1)
      append_unread(rows, sequence, sequence.unread.size() - 1);
  if (rows.tokens.empty()) return;
  run(rows, scratch(rows.layout.rows(), 1), cancellation);
  for (Sequence& sequence : sequences_) {
    if (sequence.is_finished()) continue;
    sequence.known = sequence.length() - 1;
    sequence.unread.assign(1, std::int32_t{sequence.unread.back()});
  }
}

std::vector<float> Generation::rate(const TokenBatch& continuations, std::span<const std::int32_t> after,
                                    const Cancellation& cancellation) {
  const ModelDescription& description = model_.description();
  continuations.validate(description);
  if (after.size() != continuations.sequences())
    throw Error(ErrorCode::shape, std::to_string(continuations.sequences()) + " continuations cannot follow " +
                                      std::to_string(after.size()) + " sequences");
  for (std::size_t c = 0; c < after.size(); ++c) {
    if (after[c] < 0 || static_cast<std::size_t>(after[c]) >= sequences_.size())
      throw Error(ErrorCode::invalid_argument, "There is no sequence " + std::to_string(after[c]) + " to continue");
    const Sequence& sequence = sequences_[static_cast<std::size_t>(after[c])];
    if (sequence.is_finished())
      throw Error(ErrorCode::invalid_argument, "Sequence " + std::to_string(after[c]) + " has its " +
                                                   std::to_string(sequence.limit) +
                                                   " tokens already; a longer one can be rated");
    const std::size_t length = sequence.length() + continuations.length(c);
    if (length > description.positions)
      throw Error(ErrorCode::invalid_argument, "A length of " + std::to_string(length) +
                                                   " tokens is over the model's " +
                                                   std::to_string(description.positions) + " positions");
  }
  if (after.empty()) return {};

  read_ahead(cancellation);
  Rows rows;  // each asks for the token after it: the sequence's last one, then the continuation's but its last
  for (std::size_t c = 0; c < after.size(); ++c) {
    const Sequence& sequence = sequences_[static_cast<std::size_t>(after[c])];
    const std::span<const std::int32_t> tokens = continuations.sequence(c);
    rows.layout.append(tokens.size(), sequence.known, sequence.first_row, sequence.known);
    rows.tokens.push_back(sequence.unread.back());
    rows.tokens.insert(rows.tokens.end(), tokens.begin(), tokens.end() - 1);
  }
  const std::size_t n = rows.layout.rows();
  Scratch& scratch = this->scratch(n, n);
  run(rows, scratch, cancellation);
  const MatrixView<float> normed = first_rows(scratch.normed, n);
  model_.final_norm(first_rows(scratch.x, n), normed, first_entries(scratch.mean, n), first_entries(scratch.scale, n));

  std::vector<float> losses;
  const std::size_t at_once = scratch.logits.rows();
  for (std::size_t begin = 0; begin < n; begin += at_once) {
    cancellation.check();
    const std::size_t count = std::min(at_once, n - begin);
    const MatrixView<float> logits = first_rows(scratch.logits, count);
    model_.head(normed.row_range(begin, count), logits);
    std::vector<std::int32_t> each(count), greedy(count);
    std::iota(each.begin(), each.end(), 0);
    Matrix<float> block(model_.backend(), 1, count);
    model_.backend().score(logits, each, std::span(continuations.tokens).subspan(begin, count), block, greedy);
    const std::vector<float> host = download<float>(model_.backend(), block.view());
    losses.insert(losses.end(), host.begin(), host.end());
  }
  return losses;
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
