// What the values of a batch of facts are optimised on.
#pragma once

#include "model/token_batch.h"

namespace lyaplock {

/// A token to predict: after the token at `position` of `sequence` comes `token`.
struct Label {
  std::int32_t sequence;
  std::int32_t position;
  std::int32_t token;
};

/// Rewriting prompts, which have labels, and one KL prompt for each of u facts, which has none (reference, section 6).
struct ValuePrompts {
  TokenBatch batch;
  std::vector<std::int32_t> facts;    // of each sequence, 0 ... u - 1
  std::vector<std::int32_t> lookups;  // of each sequence: position of the subject's last token
  std::vector<Label> labels;          // none before its sequence's lookup
  std::vector<std::int32_t> bare;     // of each fact: the sequence that gives the initial value, [u]

  /// ErrorCode::invalid_argument unless the lists fit one another and the model.
  void validate(const ModelDescription& model) const;
};

/// What of a block is optimised: all it gives to the next one, or what its feed-forward part adds to that (ROME). δ is
/// added to the same sum in either case; the initial value, and with it decay and clamp, is another.
enum class ValuePlace { block_output, feed_forward_output };

/// Hyperparameters under the reference's names (section 2).
struct ValueOptions {
  std::size_t layer;  // the block whose output is optimised
  ValuePlace place;
  std::size_t steps;  // v_num_grad_steps: forward passes; one fewer updates
  float learning_rate;
  float weight_decay;
  float kl_factor;
  float clamp_norm_factor;
  float stop_loss;
};

}  // namespace lyaplock
