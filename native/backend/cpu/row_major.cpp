#include "backend/cpu/row_major.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/blas.h"
#include "base/error.h"

namespace lyaplock::cpu {

namespace {

const char* blas_op(Transpose op) { return op == Transpose::no ? "N" : "T"; }

/// The functions of one precision.
template <class T>
struct Blas;
template <>
struct Blas<float> {
  static constexpr auto gemm = sgemm_;
  static constexpr auto syrk = ssyrk_;
};
template <>
struct Blas<double> {
  static constexpr auto gemm = dgemm_;
  static constexpr auto syrk = dsyrk_;
};

template <class T>
void call_gemm(Transpose a_op, Transpose b_op, T alpha, ConstMatrixView<T> a, ConstMatrixView<T> b, T beta,
               MatrixView<T> c) {
  if (c.empty()) return;
  const int m = blas_size(c.cols);
  const int n = blas_size(c.rows);
  const int k = blas_size(a_op == Transpose::no ? a.cols : a.rows);
  const int a_stride = blas_stride(a);
  const int b_stride = blas_stride(b);
  const int c_stride = blas_stride(c);
  // C^T [n, m] = op(B)^T [n, k] op(A)^T [k, m]
  Blas<T>::gemm(blas_op(b_op), blas_op(a_op), &m, &n, &k, &alpha, b.data, &b_stride, a.data, &a_stride, &beta, c.data,
                &c_stride);
}

template <class T>
void call_syrk(Transpose a_op, T alpha, ConstMatrixView<T> a, T beta, MatrixView<T> c) {
  if (c.empty()) return;
  const int n = blas_size(c.rows);
  const int k = blas_size(a_op == Transpose::no ? a.cols : a.rows);
  const int a_stride = blas_stride(a);
  const int c_stride = blas_stride(c);
  // C is symmetric and stays in place; A arrives transposed, so op turns round.
  Blas<T>::syrk("U", blas_op(other(a_op)), &n, &k, &alpha, a.data, &a_stride, &beta, c.data, &c_stride);
}

}  // namespace

void multiply(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
              float beta, MatrixView<float> c) {
  call_gemm(a_op, b_op, alpha, a, b, beta, c);
}
void multiply(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a, ConstMatrixView<double> b,
              double beta, MatrixView<double> c) {
  call_gemm(a_op, b_op, alpha, a, b, beta, c);
}

void multiply_row(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                  float beta, MatrixView<float> c) {
  // Some libraries multiply what is there by a beta of zero, and NaN stays.
  if (beta == 0.0F) std::fill_n(c.data, c.cols, 0.0F);
  const int rows = blas_size(b.cols);
  const int cols = blas_size(b.rows);
  const int b_stride = blas_stride(b);
  const int a_step = a_op == Transpose::no ? 1 : blas_stride(a);
  const int c_step = 1;
  // c^T [n] = op(B)^T a^T
  sgemv_(blas_op(b_op), &rows, &cols, &alpha, b.data, &b_stride, a.data, &a_step, &beta, c.data, &c_step);
}

void multiply_by_own_transpose(Transpose a_op, float alpha, ConstMatrixView<float> a, float beta, MatrixView<float> c) {
  call_syrk(a_op, alpha, a, beta, c);
}
void multiply_by_own_transpose(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta,
                               MatrixView<double> c) {
  call_syrk(a_op, alpha, a, beta, c);
}

std::size_t factor(MatrixView<double> a) {
  const int n = blas_size(a.rows);
  const int stride = blas_stride(a);
  int info = 0;
  // A = U^T U, and U as rows is L.
  dpotrf_("U", &n, a.data, &stride, &info);
  if (info < 0)
    throw Error(ErrorCode::internal, "dpotrf refused its argument " + std::to_string(-info) + "; please report this");
  if (info > 0) return static_cast<std::size_t>(info);
  // Comparisons with NaN are false, so a library may have gone on past one. What NaN touches ends on the diagonal.
  for (std::size_t i = 0; i < a.rows; ++i)
    if (!(a(i, i) > 0.0) || !std::isfinite(a(i, i))) return i + 1;
  return 0;
}

void solve(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  const int m = blas_size(b.cols);
  const int n = blas_size(b.rows);
  const int l_stride = blas_stride(l);
  const int b_stride = blas_stride(b);
  const double one = 1.0;
  // (op(L)^-1 B)^T = B^T op(L)^-T: the side turns round; L arrives as the upper L^T, so op stays.
  dtrsm_(side == Side::left ? "R" : "L", "U", blas_op(l_op), "N", &m, &n, &one, l.data, &l_stride, b.data, &b_stride);
}

}  // namespace lyaplock::cpu
