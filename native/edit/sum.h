// Sums of matrices, for methods that keep a drift of their own.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// a + scale · b, both [m, d]. ErrorCode::shape.
inline Matrix<double> sum_of(Backend& backend, ConstMatrixView<double> a, double scale, ConstMatrixView<double> b) {
  if (a.rows != b.rows || a.cols != b.cols)
    throw Error(ErrorCode::shape, "Matrices " + shape_of(a) + " and " + shape_of(b) + " cannot be added");
  Matrix<double> sum(backend, a.rows, a.cols);
  backend.copy(a, sum);
  backend.add_scaled(scale, b, sum);
  return sum;
}

}  // namespace lyaplock
