#include "edit/rank_one.h"

#include <cmath>

namespace lyaplock {

namespace {

void check(std::size_t width, ConstMatrixView<double> along, ConstMatrixView<double> key,
           ConstMatrixView<double> residual) {
  if (along.rows != 1 || key.rows != 1 || residual.rows != 1 || key.cols != width || along.cols != width)
    throw Error(ErrorCode::shape, "A rank-one update takes keys [1, " + std::to_string(width) +
                                      "] and a residual [1, m]; received " + shape_of(along) + ", " + shape_of(key) +
                                      " and " + shape_of(residual));
}

}  // namespace

Matrix<double> rank_one_update(const KeySpace& space, ConstMatrixView<double> mean_key, ConstMatrixView<double> key,
                               ConstMatrixView<double> residual) {
  check(space.width(), mean_key, key, residual);
  return rank_one_update(*space.backend(), space.lift(space.whiten(mean_key)), key, residual);
}

Matrix<double> rank_one_update(Backend& backend, ConstMatrixView<double> direction, ConstMatrixView<double> key,
                               ConstMatrixView<double> residual) {
  check(key.cols, direction, key, residual);
  for (const ConstMatrixView<double>& row : {direction, key, residual})
    if (!backend.all_finite(row)) throw Error(ErrorCode::not_finite, "A key or the residual holds NaN or infinity");
  const double along = backend.dot(direction, key);
  if (along == 0) throw Error(ErrorCode::invalid_argument, "The key has no part along the direction of the update");
  Matrix<double> update(backend, residual.cols, key.cols);
  backend.gemm(Transpose::yes, Transpose::no, 1 / along, residual, direction, 0.0, update);
  return update;
}

}  // namespace lyaplock
