// How far the model is from the wanted values.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// (values - outputs) / layers_left, [u, m] float64: this layer's share of what is still missing, spread evenly over
/// the layers that follow (MEMIT, section 4.3; reference, section 8). ErrorCode::shape if the sizes differ.
inline Matrix<double> residuals(Backend& backend, ConstMatrixView<float> values, ConstMatrixView<double> outputs,
                                std::size_t layers_left) {
  if (values.rows != outputs.rows || values.cols != outputs.cols)
    throw Error(ErrorCode::shape, "Values " + shape_of(values) + " and outputs " + shape_of(outputs) + " must agree");
  if (layers_left == 0) throw Error(ErrorCode::invalid_argument, "At least this layer must be left");
  Matrix<double> difference(backend, values.rows, values.cols), share(backend, values.rows, values.cols);
  backend.convert(values, difference.view());
  backend.add_scaled(-1.0, outputs, difference);
  backend.fill(0.0, share);
  backend.add_scaled(1.0 / static_cast<double>(layers_left), difference, share);
  return share;
}

}  // namespace lyaplock
