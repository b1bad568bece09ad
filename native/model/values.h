// Optimisation of the values: the vectors that make the model say what it shall.
#pragma once

#include "model/transformer.h"
#include "model/value_prompts.h"

namespace lyaplock {

/// How the optimisation of one fact went.
struct ValueProgress {
  std::int32_t iterations = 0;  // forward passes
  float loss = 0;               // total, in the last of them; and its two main terms
  float likelihood_loss = 0;    // mean over rewriting prompts of the mean over target tokens of -log p
  float divergence = 0;         // kl_factor * KL(now ‖ initial) at the KL prompt's lookup
};

/// Everything the optimisation of one fact passed through, for tests and for people who want to see it.
struct ValueTrajectory {
  std::vector<float> losses;     // [iterations]
  std::vector<float> gradients;  // [steps taken, m], of the total loss to δ
  std::vector<float> deltas;     // [steps taken, m], after step and clamp
};

struct Values {
  Matrix<float> values;   // z = h0 + δ, [u, m]
  Matrix<float> initial;  // h0, [u, m]
  std::vector<ValueProgress> progress;
  std::vector<ValueTrajectory> trajectories;  // empty unless asked for
};

/// Finds, for all facts together, the δ that added to the block's output at the subject's last token makes the targets
/// probable (reference, section 6; ROME's vectors, section 10.7, likewise). The result is the published procedure's,
/// but only what depends on δ is computed again in each iteration: layers above the block, tokens from the lookup
/// position on, facts that have not converged, logits where there is a label (mathematics, "Optimising the values").
///
/// Facts go through in groups that need no more than the backend's activation_bytes, or one by one.
/// ErrorCode::not_finite if a loss is not a number.
Values optimize_values(Transformer& model, const ValuePrompts& prompts, const ValueOptions& options,
                       bool keep_trajectories, const Cancellation& cancellation);

}  // namespace lyaplock
