#include "model/generate.h"

#include <algorithm>
#include <random>

namespace lyaplock {

namespace {

/// Keys and values of all tokens so far: `capacity` rows for each sequence, at every layer.
class Cache {
 public:
  Cache(Transformer& model, std::size_t sequences, std::size_t capacity) : capacity_(capacity), lengths_(sequences) {
    const std::size_t width = model.description().key_value_heads * model.description().head_width;
    for (std::size_t layer = 0; layer < model.description().layers; ++layer) {
      keys_.emplace_back(model.backend(), sequences * capacity, width);
      values_.emplace_back(model.backend(), sequences * capacity, width);
    }
  }

  [[nodiscard]] AttentionPrefix at(std::size_t layer) const { return {keys_[layer].view(), values_[layer].view()}; }
  [[nodiscard]] std::size_t length(std::size_t sequence) const { return lengths_[sequence]; }
  [[nodiscard]] std::size_t first_row(std::size_t sequence) const { return sequence * capacity_; }

  void store(Backend& backend, std::size_t layer, std::span<const std::int32_t> rows,
             const BlockActivations& activations) {
    backend.scatter_rows(first_rows(activations.key, rows.size()), rows, keys_[layer]);
    backend.scatter_rows(first_rows(activations.value, rows.size()), rows, values_[layer]);
  }
  void advance(std::size_t sequence, std::size_t tokens) { lengths_[sequence] += tokens; }

 private:
  std::size_t capacity_;
  std::vector<std::size_t> lengths_;
  std::vector<Matrix<float>> keys_, values_;
};

class Generator {
 public:
  Generator(Transformer& model, const TokenBatch& prompts, const GenerateOptions& options)
      : model_(model),
        options_(options),
        cache_(model, prompts.sequences(), std::max(options.max_length, longest(prompts))) {
    for (std::size_t s = 0; s < prompts.sequences(); ++s) {
      const auto prompt = prompts.sequence(s);
      sequences_.emplace_back(prompt.begin(), prompt.end());
      std::seed_seq seed{static_cast<std::uint32_t>(options.seed), static_cast<std::uint32_t>(options.seed >> 32),
                         static_cast<std::uint32_t>(s)};
      streams_.emplace_back(seed);
    }
  }

  /// Reads what the cache lacks of the unfinished sequences and adds a token to each; false when all are finished.
  bool step(const Cancellation& cancellation) {
    std::vector<std::size_t> unfinished;
    std::vector<std::int32_t> tokens, cache_rows, last_rows;
    RowLayout layout;
    for (std::size_t s = 0; s < sequences_.size(); ++s) {
      const std::size_t length = sequences_[s].size(), known = cache_.length(s);
      if (length >= options_.max_length) continue;
      unfinished.push_back(s);
      layout.append(length - known, known, cache_.first_row(s), known);
      for (std::size_t i = known; i < length; ++i) {
        tokens.push_back(sequences_[s][i]);
        cache_rows.push_back(static_cast<std::int32_t>(cache_.first_row(s) + i));
      }
      last_rows.push_back(static_cast<std::int32_t>(tokens.size() - 1));
      cache_.advance(s, length - known);
    }
    if (unfinished.empty()) return false;

    Backend& backend = model_.backend();
    const std::size_t n = layout.rows(), width = model_.description().width;
    BlockActivations activations = model_.make_activations(n);
    Matrix<float> x(backend, n, width);
    model_.embed(tokens, layout, x);
    for (std::size_t layer = 0; layer < model_.description().layers; ++layer) {
      cancellation.check();
      model_.block(layer, layout, x, cache_.at(layer), activations);
      cache_.store(backend, layer, cache_rows, activations);
    }
    Matrix<float> last(backend, last_rows.size(), width), normed(backend, last_rows.size(), width);
    Matrix<float> mean(backend, 1, last_rows.size()), scale(backend, 1, last_rows.size());
    backend.gather_rows(x, last_rows, last);
    model_.final_norm(last, normed, mean, scale);
    Matrix<float> logits(backend, last_rows.size(), model_.description().vocabulary);
    model_.head(normed, logits);
    draw(unfinished, logits);
    return true;
  }

  [[nodiscard]] TokenBatch result() const {
    TokenBatch batch;
    for (const auto& sequence : sequences_) batch.append(sequence);
    return batch;
  }

 private:
  static std::size_t longest(const TokenBatch& prompts) {
    std::size_t longest = 0;
    for (std::size_t s = 0; s < prompts.sequences(); ++s) longest = std::max(longest, prompts.length(s));
    return longest;
  }

  void draw(const std::vector<std::size_t>& unfinished, ConstMatrixView<float> logits) {
    const std::size_t k = std::min(options_.top_k, logits.cols);
    std::vector<float> probabilities(unfinished.size() * k);
    std::vector<std::int32_t> ids(probabilities.size());
    model_.backend().top_k(logits, k, probabilities, ids);
    for (std::size_t i = 0; i < unfinished.size(); ++i) {
      const std::span candidates = std::span(probabilities).subspan(i * k, k);
      double total = 0;
      for (const float p : candidates) total += p;
      // 53 random bits, by hand: the distributions of the standard library differ between platforms.
      const double uniform = static_cast<double>(streams_[unfinished[i]]() >> 11) * 0x1.0p-53;
      double left = uniform * total;
      std::size_t chosen = 0;
      while (chosen + 1 < k && left >= candidates[chosen]) left -= candidates[chosen++];
      sequences_[unfinished[i]].push_back(ids[i * k + chosen]);
    }
  }

  Transformer& model_;
  GenerateOptions options_;
  Cache cache_;
  std::vector<std::vector<std::int32_t>> sequences_;
  std::vector<std::mt19937_64> streams_;
};

}  // namespace

TokenBatch generate(Transformer& model, const TokenBatch& prompts, const GenerateOptions& options,
                    const Cancellation& cancellation) {
  prompts.validate(model.description());
  if (options.top_k == 0) throw Error(ErrorCode::invalid_argument, "top-k must be 1 or more");
  if (options.max_length > model.description().positions)
    throw Error(ErrorCode::invalid_argument, "A length of " + std::to_string(options.max_length) +
                                                 " tokens is over the model's " +
                                                 std::to_string(model.description().positions) + " positions");
  Generator generator(model, prompts, options);
  while (generator.step(cancellation)) continue;
  return generator.result();
}

}  // namespace lyaplock
