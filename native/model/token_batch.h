// Token sequences, packed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/description.h"

namespace lyaplock {

/// Sequences one after the other, without padding: sequence s is tokens[offsets[s]] ... tokens[offsets[s + 1] - 1].
struct TokenBatch {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> offsets{0};

  [[nodiscard]] std::size_t sequences() const { return offsets.size() - 1; }
  [[nodiscard]] std::size_t begin(std::size_t sequence) const { return static_cast<std::size_t>(offsets[sequence]); }
  [[nodiscard]] std::size_t length(std::size_t sequence) const { return begin(sequence + 1) - begin(sequence); }
  [[nodiscard]] std::span<const std::int32_t> sequence(std::size_t s) const {
    return std::span(tokens).subspan(begin(s), length(s));
  }
  void append(std::span<const std::int32_t> sequence) {
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    offsets.push_back(static_cast<std::int32_t>(tokens.size()));
  }

  /// ErrorCode::invalid_argument unless offsets rise from 0 to the number of tokens, every token is in the vocabulary
  /// and no sequence is longer than the model's positions.
  void validate(const ModelDescription& model) const;
};

/// What attention needs to know of the rows of a packed batch.
struct RowLayout {
  std::vector<std::int32_t> positions;     // of each row in its sequence
  std::vector<AttentionSegment> segments;  // one for each sequence

  [[nodiscard]] std::size_t rows() const { return positions.size(); }
  /// Adds a sequence of `count` rows that starts at position `first`, after `prefix_count` rows of the prefix matrices.
  void append(std::size_t count, std::size_t first, std::size_t prefix_begin = 0, std::size_t prefix_count = 0);
  /// Whole sequences.
  static RowLayout of(const TokenBatch& batch);
};

}  // namespace lyaplock
