#include "model/fine_tuning.h"

#include <cmath>
#include <numeric>

namespace lyaplock {

namespace {

void validate(const FineTuningOptions& options) {
  const auto fail = [](const std::string& message) { throw Error(ErrorCode::invalid_argument, message); };
  if (options.epochs == 0) fail("Fine-tuning needs at least one epoch");
  if (!(options.learning_rate > 0) || !std::isfinite(options.learning_rate)) fail("The learning rate must be positive");
  if (!(options.weight_decay >= 0) || !std::isfinite(options.weight_decay)) fail("Weight decay must not be negative");
  if (!(options.norm_constraint > 0)) fail("The norm constraint must be positive");
}

/// A matrix while Adam changes it, and as it was.
class Trained {
 public:
  Trained(Backend& backend, MatrixView<float> x)
      : backend_(backend), x_(x), before_(zeros()), first_moment_(zeros()), second_moment_(zeros()) {
    backend.copy(x, before_);
    rows_.resize(x.rows);
    std::iota(rows_.begin(), rows_.end(), 0);
  }

  void step(const FineTuningOptions& options, int number, ConstMatrixView<float> gradient) {
    if (options.weight_decay > 0) {
      if (gradient_.empty()) gradient_ = zeros();
      backend_.copy(gradient, gradient_);
      backend_.add_scaled(options.weight_decay, x_, gradient_);
      gradient = gradient_.view();
    }
    backend_.adam_update({.learning_rate = options.learning_rate, .step = number}, rows_, gradient, first_moment_,
                         second_moment_, x_);
  }
  void constrain(float radius) { backend_.clamp_around(before_, radius, x_); }
  [[nodiscard]] bool finite() const { return backend_.all_finite(x_); }
  void restore() { backend_.copy(before_.view(), x_); }

 private:
  Matrix<float> zeros() {
    Matrix<float> matrix(backend_, x_.rows, x_.cols);
    backend_.fill(0.0F, matrix);
    return matrix;
  }

  Backend& backend_;
  MatrixView<float> x_;
  Matrix<float> before_, first_moment_, second_moment_;
  Matrix<float> gradient_;  // with weight decay alone
  std::vector<std::int32_t> rows_;
};

/// All epochs.
class Training {
 public:
  Training(Transformer& model, const TrainingPrompts& prompts, const FineTuningOptions& options,
           const Cancellation& cancellation)
      : options_(options),
        facts_(prompts.batch.sequences()),
        gradient_(model, prompts, options.layer, options.batch_size, cancellation),
        weight_(model.backend(), model.weights().editable_down(options.layer)),
        bias_(model.backend(), model.weights().has_bias(options.layer) ? model.weights().editable_bias(options.layer)
                                                                       : MatrixView<float>()) {}

  FineTuningResult run(const Cancellation& cancellation) {
    FineTuningResult result;
    try {
      while (result.epochs < options_.epochs) {
        if (run_epoch(result, cancellation) < static_cast<double>(options_.stop_loss)) break;
      }
      if (!weight_.finite() || !bias_.finite()) fail("a weight");
      return result;
    } catch (...) {
      weight_.restore();
      bias_.restore();
      throw;
    }
  }

 private:
  [[noreturn]] static void fail(const std::string& what) {
    throw Error(ErrorCode::not_finite,
                "In fine-tuning, " + what + " is not a number any more; lower the learning rate");
  }

  /// Mean loss over all facts, each before the step of its mini-batch.
  double run_epoch(FineTuningResult& result, const Cancellation& cancellation) {
    ++result.epochs;
    result.fact_losses.clear();
    for (std::size_t batch = 0; batch < gradient_.batches(); ++batch) {
      cancellation.check();
      const std::vector<float> losses = gradient_.compute(batch, cancellation);
      const double loss = std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
      if (!std::isfinite(loss)) fail("the loss of epoch " + std::to_string(result.epochs));
      result.losses.push_back(static_cast<float>(loss));
      result.fact_losses.insert(result.fact_losses.end(), losses.begin(), losses.end());
      if (loss >= static_cast<double>(options_.stop_loss)) {
        ++steps_;
        weight_.step(options_, steps_, gradient_.weight());
        bias_.step(options_, steps_, gradient_.bias());
      }
      if (std::isfinite(options_.norm_constraint)) {
        weight_.constrain(options_.norm_constraint);
        bias_.constrain(options_.norm_constraint);
      }
    }
    return std::accumulate(result.fact_losses.begin(), result.fact_losses.end(), 0.0) / static_cast<double>(facts_);
  }

  const FineTuningOptions& options_;
  std::size_t facts_;
  DownGradient gradient_;
  Trained weight_, bias_;
  int steps_ = 0;
};

}  // namespace

FineTuningResult fine_tune(Transformer& model, const TrainingPrompts& prompts, const FineTuningOptions& options,
                           const Cancellation& cancellation) {
  validate(options);
  FineTuningResult result = Training(model, prompts, options, cancellation).run(cancellation);
  model.backend().synchronize();
  return result;
}

}  // namespace lyaplock
