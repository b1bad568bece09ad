// BLAS sees a row-major matrix as its transpose. So for C = op(A) op(B) it is asked for C^T = op(B)^T op(A)^T: operands
// and their sizes change places, `op` letters stay; and a lower triangle is an upper one.
#include <cmath>
#include <limits>

#include "backend/cpu/blas.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "base/error.h"

namespace lyaplock::cpu {

namespace {

int blas_size(std::size_t size) {
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw Error(ErrorCode::invalid_argument,
                "A matrix with " + std::to_string(size) + " rows or columns is more than BLAS counts (2147483647)");
  return static_cast<int>(size);
}

/// BLAS wants a stride of one at least, even of a matrix without columns.
template <class T>
int blas_stride(const MatrixView<T>& matrix) {
  return std::max(1, blas_size(matrix.stride));
}

const char* blas_op(Transpose op) { return op == Transpose::no ? "N" : "T"; }

void call_gemm(const char* a_op, const char* b_op, int m, int n, int k, float alpha, const float* a, int a_stride,
               const float* b, int b_stride, float beta, float* c, int c_stride) {
  sgemm_(a_op, b_op, &m, &n, &k, &alpha, a, &a_stride, b, &b_stride, &beta, c, &c_stride);
}
void call_gemm(const char* a_op, const char* b_op, int m, int n, int k, double alpha, const double* a, int a_stride,
               const double* b, int b_stride, double beta, double* c, int c_stride) {
  dgemm_(a_op, b_op, &m, &n, &k, &alpha, a, &a_stride, b, &b_stride, &beta, c, &c_stride);
}

template <class T>
void multiply(Transpose a_op, Transpose b_op, T alpha, ConstMatrixView<T> a, ConstMatrixView<T> b, T beta,
              MatrixView<T> c) {
  if (c.empty()) return;
  const std::size_t k = a_op == Transpose::no ? a.cols : a.rows;
  // C^T [n, m] = op(B)^T [n, k] op(A)^T [k, m]
  call_gemm(blas_op(b_op), blas_op(a_op), blas_size(c.cols), blas_size(c.rows), blas_size(k), alpha, b.data,
            blas_stride(b), a.data, blas_stride(a), beta, c.data, blas_stride(c));
}

}  // namespace

void CpuBackend::gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                      float beta, MatrixView<float> c) {
  if (c.rows == 1 && !c.empty() && !a.empty()) {
    // One row, as when text is generated token by token: gemm would copy all of B first. c^T [n] = op(B)^T a^T.
    const int rows = blas_size(b.cols);
    const int cols = blas_size(b.rows);
    const int b_stride = blas_stride(b);
    const int a_step = a_op == Transpose::no ? 1 : blas_stride(a);
    const int c_step = 1;
    if (beta == 0.0F) fill(0.0F, c);  // some libraries multiply what is there by zero, and NaN stays
    sgemv_(blas_op(b_op), &rows, &cols, &alpha, b.data, &b_stride, a.data, &a_step, &beta, c.data, &c_step);
    return;
  }
  multiply(a_op, b_op, alpha, a, b, beta, c);
}

void CpuBackend::gemm(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a,
                      ConstMatrixView<double> b, double beta, MatrixView<double> c) {
  multiply(a_op, b_op, alpha, a, b, beta, c);
}

void CpuBackend::syrk(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta, MatrixView<double> c) {
  if (c.empty()) return;
  const int n = blas_size(c.rows);
  const int k = blas_size(a_op == Transpose::no ? a.cols : a.rows);
  const int a_stride = blas_stride(a);
  const int c_stride = blas_stride(c);
  // C is symmetric and stays in place; A arrives transposed, so op turns round.
  dsyrk_("U", a_op == Transpose::no ? "T" : "N", &n, &k, &alpha, a.data, &a_stride, &beta, c.data, &c_stride);
}

std::size_t CpuBackend::potrf(MatrixView<double> a) {
  if (a.empty()) return 0;
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

void CpuBackend::trsm(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  if (b.empty()) return;
  const int m = blas_size(b.cols);
  const int n = blas_size(b.rows);
  const int l_stride = blas_stride(l);
  const int b_stride = blas_stride(b);
  const double one = 1.0;
  // (op(L)^-1 B)^T = B^T op(L)^-T: the side turns round; L arrives as the upper L^T, so op stays.
  dtrsm_(side == Side::left ? "R" : "L", "U", blas_op(l_op), "N", &m, &n, &one, l.data, &l_stride, b.data, &b_stride);
}

void CpuBackend::mirror_lower(MatrixView<double> a) {
  // Tiles keep both the rows read and the rows written in the first cache.
  constexpr std::size_t tile = 32;
  const std::size_t tiles = (a.rows + tile - 1) / tile;
  over_rows(pool_, tiles, tile * a.rows, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row_tile = begin; row_tile < end; ++row_tile)
      for (std::size_t col_tile = row_tile; col_tile < tiles; ++col_tile)
        for (std::size_t i = row_tile * tile; i < std::min(a.rows, (row_tile + 1) * tile); ++i)
          for (std::size_t j = std::max(i + 1, col_tile * tile); j < std::min(a.rows, (col_tile + 1) * tile); ++j)
            a(i, j) = a(j, i);
  });
}

}  // namespace lyaplock::cpu
