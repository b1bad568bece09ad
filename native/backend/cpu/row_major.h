// Calls of BLAS and LAPACK on row-major views, each on as many threads as the library is set to: one, but for the
// moments in which measure_blas.cpp measures it.
//
// BLAS sees a row-major matrix as its transpose. So for C = op(A) op(B) it is asked for C^T = op(B)^T op(A)^T: operands
// and their sizes change places, `op` letters stay; and a lower triangle is an upper one.
#pragma once

#include "backend/backend.h"

namespace lyaplock::cpu {

/// The size as BLAS counts it; ErrorCode::invalid_argument beyond 32 bits.
int blas_size(std::size_t size);

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

/// C = alpha op(A) op(B) + beta C.
void multiply(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
              float beta, MatrixView<float> c);
void multiply(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a, ConstMatrixView<double> b,
              double beta, MatrixView<double> c);
/// The same with C [1, n], as when text is generated token by token: gemm would copy all of B first.
void multiply_row(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                  float beta, MatrixView<float> c);
/// Lower triangle of C = alpha op(A) op(A)^T + beta C.
void multiply_by_own_transpose(Transpose a_op, float alpha, ConstMatrixView<float> a, float beta, MatrixView<float> c);
void multiply_by_own_transpose(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta,
                               MatrixView<double> c);
/// Cholesky of the lower triangle; returns 0 or the leading minor that is not positive.
std::size_t factor(MatrixView<double> a);
/// B = op(L)^-1 B or B op(L)^-1.
void solve(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b);

}  // namespace lyaplock::cpu
