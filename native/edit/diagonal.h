// The diagonal of a square matrix.
#pragma once

#include <vector>

#include "backend/matrix.h"

namespace lyaplock {

/// Seen with a stride one longer, the diagonal is a column [n, 1].
template <class T>
MatrixView<T> diagonal_of(const MatrixView<T>& matrix) {
  return {matrix.data, matrix.rows, 1, matrix.stride + 1};
}

inline std::vector<double> download_diagonal(Backend& backend, ConstMatrixView<double> matrix) {
  Matrix<double> diagonal(backend, matrix.rows, 1);
  backend.copy(diagonal_of(matrix), diagonal);
  return download<double>(backend, diagonal.view());
}

inline void add_to_diagonal(Backend& backend, double value, MatrixView<double> matrix) {
  const Matrix<double> column = upload<double>(backend, std::vector<double>(matrix.rows, value), matrix.rows, 1);
  backend.add_scaled(1.0, column, diagonal_of(matrix));
}

}  // namespace lyaplock
