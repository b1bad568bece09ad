// How much of what a layer does on ordinary text a drift changes.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// tr(D C D^T) of any drift D [m, d] for the second moment C [d, d], symmetric: the mean squared change of the layer's
/// output per corpus token (reference, section 9). ErrorCode::shape.
inline double preservation_loss(Backend& backend, ConstMatrixView<double> drift, ConstMatrixView<double> covariance) {
  if (covariance.rows != drift.cols || covariance.cols != drift.cols)
    throw Error(ErrorCode::shape, "The second moment of a drift " + shape_of(drift) + " must be [" +
                                      std::to_string(drift.cols) + ", " + std::to_string(drift.cols) + "]; received " +
                                      shape_of(covariance));
  Matrix<double> product(backend, drift.rows, drift.cols);
  backend.gemm(Transpose::no, Transpose::no, 1.0, drift, covariance, 0.0, product);
  return backend.dot(product.view(), drift);
}

}  // namespace lyaplock
