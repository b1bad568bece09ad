#include "model/token_batch.h"

#include "base/error.h"

namespace lyaplock {

void TokenBatch::validate(const ModelDescription& model) const {
  const auto fail = [](const std::string& message) { throw Error(ErrorCode::invalid_argument, message); };
  if (offsets.empty() || offsets.front() != 0 || static_cast<std::size_t>(offsets.back()) != tokens.size())
    fail("The offsets of a token batch must run from 0 to the number of its tokens");
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    if (offsets[s + 1] <= offsets[s]) fail("Sequence " + std::to_string(s) + " of a token batch is empty");
    if (length(s) > model.positions)
      fail("Sequence " + std::to_string(s) + " has " + std::to_string(length(s)) + " tokens; the model takes " +
           std::to_string(model.positions) + " at most");
  }
  for (const std::int32_t token : tokens)
    if (token < 0 || static_cast<std::size_t>(token) >= model.vocabulary)
      fail("Token " + std::to_string(token) + " is not in the model's vocabulary of " +
           std::to_string(model.vocabulary));
}

void RowLayout::append(std::size_t count, std::size_t first, std::size_t prefix_begin, std::size_t prefix_count) {
  segments.push_back({rows(), count, prefix_begin, prefix_count});
  for (std::size_t i = 0; i < count; ++i) positions.push_back(static_cast<std::int32_t>(first + i));
}

RowLayout RowLayout::of(const TokenBatch& batch) {
  RowLayout layout;
  for (std::size_t s = 0; s < batch.sequences(); ++s) layout.append(batch.length(s), 0);
  return layout;
}

}  // namespace lyaplock
