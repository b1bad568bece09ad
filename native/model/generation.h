// Text by sampling, a token at a time.
#pragma once

#include <optional>
#include <random>

#include "model/transformer.h"

namespace lyaplock {

struct GenerationOptions {
  std::size_t max_length;  // total tokens of a sequence, its prompt included
  std::size_t top_k;       // draw among so many most probable tokens, renormalised; 1 is greedy
  std::uint64_t seed;
};

/// Extends prompts to max_length tokens each (a longer one stays as it is), with a key/value cache; never stops at an
/// end token (reference, section 4). Sequence i draws from a stream made from (seed, i), so that it does not depend on
/// the others. Weights that change between two steps give the text of no model.
class Generation {
 public:
  /// ErrorCode::invalid_argument for prompts that do not fit the model, a max_length beyond its positions, a top_k of
  /// 0. Allocates the cache: what a step needs beside it is small.
  Generation(Transformer& model, const TokenBatch& prompts, const GenerationOptions& options);

  struct Drawn {
    std::vector<std::int32_t> sequences;  // that were shorter than max_length, rising
    std::vector<std::int32_t> tokens;     // one for each of them
  };
  /// Draws the next token of every sequence that is shorter than max_length; nothing once none is. A call that fails or
  /// is cancelled leaves everything as it was, and can be made again. ErrorCode::not_finite if the logits are no
  /// numbers.
  Drawn step(const Cancellation& cancellation);

 private:
  struct Sequence {
    std::size_t known;                 // tokens whose keys and values are in the cache
    std::vector<std::int32_t> unread;  // those after them: the prompt, then the token drawn last
    std::size_t first_row;             // in the cache
    std::mt19937_64 stream;
    [[nodiscard]] std::size_t length() const { return known + unread.size(); }
  };
  /// What a step computes in, kept for the next one.
  struct Scratch {
    Scratch(const Transformer& model, std::size_t rows, std::size_t sequences);
    BlockActivations activations;       // of all rows
    Matrix<float> x;                    // likewise, [rows, m]
    Matrix<float> last, normed;         // at the last row of each sequence, [sequences, m]
    Matrix<float> mean, scale, logits;  // logits [sequences at a time, vocabulary]
  };

  Scratch& scratch(std::size_t rows, std::size_t sequences);
  [[nodiscard]] std::vector<std::int32_t> draw(const std::vector<std::int32_t>& unfinished, Scratch& scratch);

  Transformer& model_;
  GenerationOptions options_;
  std::vector<Sequence> sequences_;
  std::vector<Matrix<float>> keys_, values_;  // the cache, by layer: [rows of all sequences, key/value width]
  std::optional<Scratch> scratch_;
};

}  // namespace lyaplock
