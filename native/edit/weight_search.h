// Which weight an update is solved with.
#pragma once

#include <limits>

namespace lyaplock {

/// What is asked of an update: a weight μ > 0, and perhaps a limit that its preservation loss may not exceed.
struct WeightChoice {
  double weight;  // the least there may be
  double limit = std::numeric_limits<double>::infinity();
  [[nodiscard]] bool is_limited() const { return limit < std::numeric_limits<double>::infinity(); }
};

/// Finds the smallest weight at or over the least whose loss is within the limit, from the losses of the weights it
/// asks to try. With G = U diag(g) U^T and p_j = ||(U^T Y)_j||²,
///
///     loss(μ) = sum_j p_j g_j / (g_j + μ)²
///
/// falls with μ, and loss^-1/2 rises, is concave and nearly linear: Newton's iteration on it comes up to the root from
/// the side of smaller weights (the secular equation of Moré & Sorensen 1983; Reinsch 1971). What rounding could do to
/// it, a bracket on log μ undoes.
///
///     for (WeightSearch search(choice, start);; search.go_on(slope)) { …solve with search.weight()…
///       if (search.is_met(loss)) break; }
class WeightSearch {
 public:
  /// Of the limit, what a loss may stay under it for its weight to count as the smallest.
  static constexpr double tolerance = 5e-4;

  /// `start`, the weight to try first, is not under the least.
  WeightSearch(const WeightChoice& choice, double start);

  /// The weight to solve with.
  [[nodiscard]] double weight() const { return weight_; }
  /// How many weights were tried.
  [[nodiscard]] int trials() const { return trials_; }

  /// Whether this weight, at which there is this loss, is the one. ErrorCode::not_finite; invalid_argument if no
  /// weight can be.
  [[nodiscard]] bool is_met(double loss);
  /// After a weight that is not: goes on to another, by d loss / d μ.
  void go_on(double slope);

 private:
  [[nodiscard]] double newton(double slope) const;
  [[nodiscard]] double bisect() const;

  WeightChoice choice_;
  double weight_;
  double loss_ = 0;
  int trials_ = 0;
  double under_;                                           // a weight whose loss is over the limit, or the least
  double over_ = std::numeric_limits<double>::infinity();  // one whose loss is within
};

}  // namespace lyaplock
