// Row-major views as BLAS and LAPACK see them, whichever library answers.
//
// BLAS sees a row-major matrix as its transpose. So for C = op(A) op(B) it is asked for C^T = op(B)^T op(A)^T: operands
// and their sizes change places, `op` letters stay; and a lower triangle is an upper one.
#pragma once

#include <limits>
#include <string>

#include "backend/backend.h"
#include "base/error.h"

namespace lyaplock {

/// The size as BLAS counts it; ErrorCode::invalid_argument beyond 32 bits.
inline int blas_size(std::size_t size) {
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw Error(ErrorCode::invalid_argument,
                "A matrix with " + std::to_string(size) + " rows or columns is more than BLAS counts (2147483647)");
  return static_cast<int>(size);
}

/// BLAS wants a stride of one at least, even of a matrix without columns.
template <class T>
int blas_stride(const MatrixView<T>& matrix) {
  return matrix.stride == 0 ? 1 : blas_size(matrix.stride);
}

inline Transpose other(Transpose op) { return op == Transpose::no ? Transpose::yes : Transpose::no; }

/// k of op(A) [m, k].
template <class T>
std::size_t inner_size(Transpose a_op, const MatrixView<T>& a) {
  return a_op == Transpose::no ? a.cols : a.rows;
}

/// Rows [begin, begin + count) of op(A), as a part of A.
template <class T>
MatrixView<T> rows_of(Transpose op, const MatrixView<T>& a, std::size_t begin, std::size_t count) {
  return op == Transpose::no ? a.row_range(begin, count) : a.column_range(begin, count);
}
template <class T>
MatrixView<T> columns_of(Transpose op, const MatrixView<T>& a, std::size_t begin, std::size_t count) {
  return rows_of(other(op), a, begin, count);
}

}  // namespace lyaplock
