// Fine-tuning of one down-projection: the baseline that editing is compared with.
#pragma once

#include "model/down_gradient.h"

namespace lyaplock {

/// Hyperparameters; in brackets the reference's names (section 2.3).
struct FineTuningOptions {
  std::size_t layer;
  std::size_t epochs;      // at most (num_steps)
  std::size_t batch_size;  // facts of one step
  float learning_rate;     // of Adam, which starts anew with each call (lr)
  float weight_decay;      // so many times the weight is added to its gradient
  float norm_constraint;   // no element moves farther than this from where it was before the call; may be infinite
  float stop_loss;         // a smaller loss of a mini-batch makes no step; a smaller mean of an epoch's is the end
};

struct FineTuningResult {
  std::size_t epochs = 0;
  std::vector<float> losses;       // of each mini-batch before its step, epoch by epoch
  std::vector<float> fact_losses;  // of each fact in the last epoch, [u]
};

/// Trains the down-projection's weight, and its bias where the family has one, so that the labels come out (reference,
/// section 10.6).
///
/// Weight and bias are as they were if it throws: ErrorCode::not_finite if a loss or an element is not a number,
/// ErrorCode::invalid_argument, ErrorCode::aborted.
FineTuningResult fine_tune(Transformer& model, const TrainingPrompts& prompts, const FineTuningOptions& options,
                           const Cancellation& cancellation);

}  // namespace lyaplock
