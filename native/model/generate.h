// Text by sampling.
#pragma once

#include "model/transformer.h"

namespace lyaplock {

struct GenerateOptions {
  std::size_t max_length;  // total tokens of a sequence, its prompt included
  std::size_t top_k;       // draw among so many most probable tokens, renormalised; 1 is greedy
  std::uint64_t seed;
};

/// Extends every prompt to max_length tokens (a longer one stays as it is), with a key/value cache; never stops at an
/// end token (reference, section 4). Sequence i draws from a stream made from (seed, i), so that it does not depend on
/// the others.
TokenBatch generate(Transformer& model, const TokenBatch& prompts, const GenerateOptions& options,
                    const Cancellation& cancellation);

}  // namespace lyaplock
