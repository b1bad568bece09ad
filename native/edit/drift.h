// What a method that keeps a drift of its own asks of it.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// What a batch shall reach relative to the original weight: Y = D K + R, as rows [u, m], of the drift D [m, d], keys
/// [u, d] and residuals [u, m]. ErrorCode::shape.
inline Matrix<double> targets_of(Backend& backend, ConstMatrixView<double> drift, ConstMatrixView<double> keys,
                                 ConstMatrixView<double> residuals) {
  if (drift.cols != keys.cols || drift.rows != residuals.cols || keys.rows != residuals.rows)
    throw Error(ErrorCode::shape, "A drift " + shape_of(drift) + ", keys " + shape_of(keys) + " and residuals " +
                                      shape_of(residuals) + " do not fit together");
  Matrix<double> targets(backend, residuals.rows, residuals.cols);
  backend.copy(residuals, targets);
  backend.gemm(Transpose::no, Transpose::yes, 1.0, keys, drift, 1.0, targets);
  return targets;
}

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
