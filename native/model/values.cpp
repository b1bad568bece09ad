#include "model/values.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/value_suffix.h"

namespace lyaplock {

namespace {

/// The prompts of facts [begin, end) alone, counted from 0.
ValuePrompts prompts_of(const ValuePrompts& all, std::size_t begin, std::size_t end) {
  ValuePrompts part;
  std::vector<std::int32_t> moved(all.batch.sequences(), -1);
  for (std::size_t s = 0; s < all.batch.sequences(); ++s) {
    const auto fact = static_cast<std::size_t>(all.facts[s]);
    if (fact < begin || fact >= end) continue;
    moved[s] = static_cast<std::int32_t>(part.batch.sequences());
    part.batch.append(all.batch.sequence(s));
    part.facts.push_back(static_cast<std::int32_t>(fact - begin));
    part.lookups.push_back(all.lookups[s]);
  }
  for (const Label& label : all.labels)
    if (const std::int32_t sequence = moved[static_cast<std::size_t>(label.sequence)]; sequence >= 0)
      part.labels.push_back({sequence, label.position, label.token});
  for (std::size_t fact = begin; fact < end; ++fact)
    part.bare.push_back(moved[static_cast<std::size_t>(all.bare[fact])]);
  return part;
}

/// Bytes that are kept for each fact: of a row before the lookup keys and values in the layers above; of one from there
/// on all that a pass leaves for the way back.
std::vector<double> bytes_of_facts(const ModelDescription& d, const ValuePrompts& prompts, std::size_t layer) {
  const auto above = static_cast<double>(d.layers - layer);
  const double prefix_row = above * sizeof(float) * static_cast<double>(2 * d.key_value_heads * d.head_width);
  const double suffix_row = LayersAbove::bytes_per_row(d, layer);
  std::vector<double> bytes(prompts.bare.size());
  for (std::size_t s = 0; s < prompts.batch.sequences(); ++s) {
    const auto before = static_cast<double>(prompts.lookups[s]);
    const double after = static_cast<double>(prompts.batch.length(s)) - before;
    bytes[static_cast<std::size_t>(prompts.facts[s])] += before * prefix_row + after * suffix_row;
  }
  return bytes;
}

/// Ends of consecutive groups of facts, as few as keep what is held of a group under the limit, and of about one size:
/// products of few rows are slow.
std::vector<std::size_t> group_ends(const Transformer& model, const ValuePrompts& prompts, std::size_t layer) {
  const auto limit = static_cast<double>(model.backend().activation_bytes());
  const std::vector<double> bytes = bytes_of_facts(model.description(), prompts, layer);
  const double total = std::accumulate(bytes.begin(), bytes.end(), 0.0);
  const double share = total / std::ceil(total / limit);
  std::vector<std::size_t> ends;
  double sum = 0;
  for (std::size_t fact = 0; fact < bytes.size(); ++fact) {
    if (sum > 0 && sum + bytes[fact] / 2 > share) {
      ends.push_back(fact);
      sum = 0;
    }
    sum += bytes[fact];
  }
  ends.push_back(bytes.size());
  return ends;
}

/// Optimises one group of facts.
class Optimization {
 public:
  Optimization(Transformer& model, const ValuePrompts& prompts, const ValueOptions& options,
               const Cancellation& cancellation)
      : backend_(model.backend()),
        options_(options),
        cancellation_(cancellation),
        suffix_(model, prompts, options, cancellation),
        facts_(prompts.bare.size()),
        delta_(zeros()),
        gradient_(zeros()),
        first_moment_(zeros()),
        second_moment_(zeros()),
        limits_(backend_, 1, facts_) {
    initial_norms_ = norms(suffix_.initial());
    std::vector<float> limits(initial_norms_);
    for (float& limit : limits) limit *= options.clamp_norm_factor;
    limits_ = upload<float>(backend_, limits, 1, facts_);
  }

  void run(std::span<ValueProgress> progress, std::span<ValueTrajectory> trajectories) {
    std::vector<std::int32_t> active(facts_);
    for (std::size_t fact = 0; fact < facts_; ++fact) active[fact] = static_cast<std::int32_t>(fact);
    for (std::size_t iteration = 0; iteration < options_.steps; ++iteration) {
      const std::vector<float> delta_norms = norms(delta_);
      const ValueSuffix::Losses losses = suffix_.forward(delta_, options_.kl_factor, cancellation_);
      std::vector<std::int32_t> unfinished;
      for (const std::int32_t fact : active) {
        const auto f = static_cast<std::size_t>(fact);
        ValueProgress& now = progress[f];
        now.iterations = static_cast<std::int32_t>(iteration) + 1;
        now.likelihood_loss = losses.likelihood[f];
        now.divergence = options_.kl_factor * losses.divergence[f];
        now.loss = now.likelihood_loss + now.divergence + decay(f, delta_norms[f]);
        if (!std::isfinite(now.loss))
          throw Error(ErrorCode::not_finite, "The loss of the value of fact " + std::to_string(f) +
                                                 " of the batch is not a number in iteration " +
                                                 std::to_string(now.iterations) + "; lower the learning rate");
        if (!trajectories.empty()) trajectories[f].losses.push_back(now.loss);
        if (now.loss >= options_.stop_loss && iteration + 1 < options_.steps) unfinished.push_back(fact);
      }
      if (unfinished.empty()) return;
      step(unfinished, static_cast<int>(iteration) + 1, delta_norms, trajectories);
      if (unfinished.size() < active.size()) suffix_.arrange(unfinished);
      active = std::move(unfinished);
    }
  }

  void write(MatrixView<float> values, MatrixView<float> initial) {
    backend_.copy(suffix_.initial(), initial);
    backend_.copy(suffix_.initial(), values);
    backend_.add_scaled(1.0F, delta_, values);
  }

 private:
  Matrix<float> zeros() {
    Matrix<float> matrix(backend_, facts_, suffix_.initial().cols);
    backend_.fill(0.0F, matrix);
    return matrix;
  }
  std::vector<float> norms(ConstMatrixView<float> rows) {
    Matrix<float> norms(backend_, 1, rows.rows);
    backend_.row_norms(rows, norms);
    return download<float>(backend_, norms.view());
  }
  /// weight_decay ‖δ‖ / ‖h0‖²: the published code does not square the numerator.
  [[nodiscard]] float decay(std::size_t fact, float delta_norm) const {
    return options_.weight_decay * delta_norm / (initial_norms_[fact] * initial_norms_[fact]);
  }

  void step(const std::vector<std::int32_t>& facts, int number, const std::vector<float>& delta_norms,
            std::span<ValueTrajectory> trajectories) {
    suffix_.backward(gradient_);
    std::vector<std::int32_t> every(facts_);
    std::vector<float> decay_gradients(facts_);
    for (std::size_t fact = 0; fact < facts_; ++fact) {
      every[fact] = static_cast<std::int32_t>(fact);
      // The gradient of ‖δ‖ is δ/‖δ‖, and 0 at 0.
      decay_gradients[fact] = delta_norms[fact] > 0 ? decay(fact, 1.0F) / delta_norms[fact] : 0.0F;
    }
    backend_.scatter_add_rows(delta_, every, decay_gradients, gradient_);
    backend_.adam_update({.learning_rate = options_.learning_rate, .step = number}, facts, gradient_, first_moment_,
                         second_moment_, delta_);
    backend_.clamp_row_norms(facts, limits_, delta_);
    if (trajectories.empty()) return;
    const std::vector<float> gradients = download<float>(backend_, gradient_.view());
    const std::vector<float> deltas = download<float>(backend_, delta_.view());
    const auto m = static_cast<std::ptrdiff_t>(delta_.cols());
    for (const std::int32_t fact : facts) {
      ValueTrajectory& trajectory = trajectories[static_cast<std::size_t>(fact)];
      const auto row = fact * m;
      trajectory.gradients.insert(trajectory.gradients.end(), gradients.begin() + row, gradients.begin() + row + m);
      trajectory.deltas.insert(trajectory.deltas.end(), deltas.begin() + row, deltas.begin() + row + m);
    }
  }

  Backend& backend_;
  const ValueOptions& options_;
  const Cancellation& cancellation_;
  ValueSuffix suffix_;
  std::size_t facts_;
  Matrix<float> delta_, gradient_, first_moment_, second_moment_;  // [u, m]
  Matrix<float> limits_;                                           // of ‖δ‖, [1, u]
  std::vector<float> initial_norms_;
};

}  // namespace

Values optimize_values(Transformer& model, const ValuePrompts& prompts, const ValueOptions& options,
                       bool keep_trajectories, const Cancellation& cancellation) {
  prompts.validate(model.description());
  if (options.layer >= model.description().layers)
    throw Error(ErrorCode::invalid_argument, "There is no block " + std::to_string(options.layer));
  if (options.steps == 0) throw Error(ErrorCode::invalid_argument, "At least one step is needed");

  Backend& backend = model.backend();
  const std::size_t facts = prompts.bare.size(), m = model.description().width;
  Values result{Matrix<float>(backend, facts, m), Matrix<float>(backend, facts, m), std::vector<ValueProgress>(facts),
                std::vector<ValueTrajectory>(keep_trajectories ? facts : 0)};
  std::size_t begin = 0;
  for (const std::size_t end : group_ends(model, prompts, options.layer)) {
    const std::size_t count = end - begin;
    Optimization group(model, prompts_of(prompts, begin, end), options, cancellation);
    group.run(std::span(result.progress).subspan(begin, count),
              keep_trajectories ? std::span(result.trajectories).subspan(begin, count) : std::span<ValueTrajectory>());
    group.write(result.values.view().row_range(begin, count), result.initial.view().row_range(begin, count));
    begin = end;
  }
  backend.synchronize();
  return result;
}

}  // namespace lyaplock
