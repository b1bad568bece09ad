// Calls of BLAS and LAPACK on row-major views, each on as many threads as the library is set to: one, but for the
// moments in which measure_blas.cpp measures it.
#pragma once

#include "backend/row_major.h"

namespace lyaplock::cpu {

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
