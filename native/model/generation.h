// Text by sampling, a token at a time.
#pragma once

#include <optional>
#include <random>

#include "model/transformer.h"

namespace lyaplock {

struct GenerationOptions {
  std::vector<std::size_t> lengths;  // total tokens of each sequence, its prompt included
  std::size_t top_k;                 // draw among so many most probable tokens, renormalised; 1 is greedy
  std::uint64_t seed;
};

/// Extends prompts to their lengths (a longer one stays as it is), with a key/value cache; never stops at an end token
/// (reference, section 4). Sequence i draws from a stream made from (seed, i), so that it does not depend on
/// the others. Weights that change between two steps give the text of no model.
class Generation {
 public:
  /// ErrorCode::invalid_argument for prompts that do not fit the model, a length beyond its positions, a top_k of 0;
  /// ErrorCode::shape unless there is a length for every prompt. Allocates the cache: what a step needs beside it is
  /// small.
  Generation(Transformer& model, const TokenBatch& prompts, const GenerationOptions& options);

  struct Drawn {
    std::vector<std::int32_t> sequences;  // that were shorter than their lengths, rising
    std::vector<std::int32_t> tokens;     // one for each of them
  };
  /// Draws the next token of every sequence that is shorter than its length; nothing once none is. A call that fails or
  /// is cancelled leaves everything as it was, and can be made again. ErrorCode::not_finite if the logits are no
  /// numbers.
  Drawn step(const Cancellation& cancellation);

  /// How probable other texts are: -log p of every token of every continuation [tokens], where continuation c follows
  /// sequence after[c] as it now stands. Draws nothing and changes no later draw but for rounding. What a sequence
  /// holds is read once, however many continuations it has. ErrorCode::invalid_argument for a sequence that has its
  /// length (it has no cache), and for continuations that do not fit the model behind it.
  std::vector<float> rate(const TokenBatch& continuations, std::span<const std::int32_t> after,
                          const Cancellation& cancellation);

 private:
  struct Sequence {
    std::size_t limit;                 // tokens it shall have
    std::size_t known;                 // tokens whose keys and values are in the cache
    std::vector<std::int32_t> unread;  // those after them: the prompt, then the token drawn last
    std::size_t first_row;             // in the cache
    std::mt19937_64 stream;
    [[nodiscard]] std::size_t length() const { return known + unread.size(); }
    [[nodiscard]] bool is_finished() const { return length() >= limit; }
  };
  /// Rows that go through the model together, behind what the cache holds of their sequences.
  struct Rows {
    RowLayout layout;
    std::vector<std::int32_t> tokens;
    std::vector<std::int32_t> cache_rows;  // where their keys and values are kept; none to keep nothing
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
  static void append_unread(Rows& rows, const Sequence& sequence, std::size_t count);
  /// Takes rows through all blocks; scratch.x then has their final states.
  void run(const Rows& rows, Scratch& scratch, const Cancellation& cancellation);
  /// Reads all of every unfinished sequence but its last token.
  void read_ahead(const Cancellation& cancellation);
  [[nodiscard]] std::vector<std::int32_t> draw(const std::vector<std::int32_t>& unfinished, Scratch& scratch);

  Transformer& model_;
  GenerationOptions options_;
  std::vector<Sequence> sequences_;
  std::vector<Matrix<float>> keys_, values_;  // the cache, by layer: [rows of all sequences, key/value width]
  std::optional<Scratch> scratch_;
};

}  // namespace lyaplock
