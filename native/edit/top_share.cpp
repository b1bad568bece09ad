#include "edit/top_share.h"

#include "base/text.h"

namespace lyaplock {

namespace {
/// Keeps weights of zero from dividing; the published code's.
constexpr double epsilon = 1e-8;
}  // namespace

Matrix<double> keep_top_share(Backend& backend, ConstMatrixView<double> delta, ConstMatrixView<double> weight,
                              double share) {
  if (delta.rows != weight.rows || delta.cols != weight.cols)
    throw Error(ErrorCode::shape,
                "An update " + shape_of(delta) + " and its weight " + shape_of(weight) + " must agree");
  if (!(share > 0 && share <= 1))
    throw Error(ErrorCode::invalid_argument,
                "The share of an update to keep must be over 0 and at most 1; received " + to_text(share));
  Matrix<double> kept(backend, delta.rows, delta.cols), change(backend, delta.rows, delta.cols);
  backend.copy(delta, kept);
  // A share such as 0.8 has no exact double: what is left of it must not fall short of a whole number by rounding.
  constexpr double slack = 1 + 1e-12;
  const auto rank = static_cast<std::size_t>((1 - share) * static_cast<double>(delta.size()) * slack);
  if (rank == 0) return kept;
  backend.relative_change(delta, weight, epsilon, change);
  backend.keep_at_least(change, backend.kth_smallest(change.view(), rank), kept);
  return kept;
}

}  // namespace lyaplock
