#include "edit/weight_search.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace lyaplock {

namespace {

/// Newton's iterations from the left end up at losses over what they aim at: so this is the lower end of what is met.
constexpr double aim = 1 - 0.9 * WeightSearch::tolerance;
/// Far more than Newton's iteration takes; after as many trials the bracket is halved.
constexpr int patience = 20;
/// Weights as close as this are one.
constexpr double resolution = 1e-9;
/// Beyond it the squares of what is solved for leave float64.
constexpr double largest_weight = 1e100;

}  // namespace

WeightSearch::WeightSearch(const WeightChoice& choice, double start)
    : choice_(choice), weight_(start), under_(choice.weight) {}

bool WeightSearch::is_met(double loss) {
  ++trials_;
  if (!choice_.is_limited()) return true;
  if (!std::isfinite(loss))
    throw Error(ErrorCode::not_finite, "The preservation loss with the weight " + to_text(weight_) +
                                           " is not a number: look at the residuals");
  loss_ = loss;
  if (loss > choice_.limit) {
    under_ = weight_;
    if (choice_.limit > 0 && weight_ < largest_weight) return false;
    throw Error(ErrorCode::invalid_argument,
                "No weight of the preserved knowledge keeps the preservation loss at or under " +
                    to_text(choice_.limit) + "; with " + to_text(weight_) + " it is " + to_text(loss) +
                    ". Give a larger limit");
  }
  over_ = std::min(over_, weight_);
  return weight_ <= choice_.weight || loss >= (1 - tolerance) * choice_.limit || over_ <= under_ * (1 + resolution);
}

void WeightSearch::go_on(double slope) {
  const double next = newton(slope);
  weight_ = next >= under_ && next < over_ && next != weight_ && trials_ < patience ? next : bisect();
}

/// μ of the tangent to loss^-1/2. NaN where there is none.
double WeightSearch::newton(double slope) const {
  const double next = weight_ + 2 * loss_ * (1 - std::sqrt(loss_ / (aim * choice_.limit))) / slope;
  return std::isnan(next) ? next : std::clamp(next, choice_.weight, largest_weight);
}

double WeightSearch::bisect() const {
  if (over_ <= under_ * (1 + resolution)) return over_;
  return std::min(largest_weight, std::isfinite(over_) ? std::sqrt(under_) * std::sqrt(over_) : 16 * under_);
}

}  // namespace lyaplock
