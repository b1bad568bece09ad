#include "edit/rank_one.h"

#include <cmath>

namespace lyaplock {

Matrix<double> rank_one_update(const KeySpace& space, ConstMatrixView<double> mean_key, ConstMatrixView<double> key,
                               ConstMatrixView<double> residual) {
  Backend& backend = *space.backend();
  if (mean_key.rows != 1 || key.rows != 1 || residual.rows != 1 || key.cols != space.width())
    throw Error(ErrorCode::shape, "A rank-one update takes keys [1, " + std::to_string(space.width()) +
                                      "] and a residual [1, m]; received " + shape_of(mean_key) + ", " + shape_of(key) +
                                      " and " + shape_of(residual));
  for (const ConstMatrixView<double>& row : {mean_key, key, residual})
    if (!backend.all_finite(row)) throw Error(ErrorCode::not_finite, "A key or the residual holds NaN or infinity");
  const Matrix<double> direction = space.lift(space.whiten(mean_key));
  const double along = backend.dot(direction.view(), key);
  if (along == 0)
    throw Error(ErrorCode::invalid_argument, "The key has no part along the direction of the update, C^-1 k_mean");
  Matrix<double> update(backend, residual.cols, space.width());
  backend.gemm(Transpose::yes, Transpose::no, 1 / along, residual, direction.view(), 0.0, update);
  return update;
}

}  // namespace lyaplock
