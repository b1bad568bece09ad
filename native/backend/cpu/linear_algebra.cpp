// BLAS sees a row-major matrix as its transpose. So for C = op(A) op(B) it is asked for C^T = op(B)^T op(A)^T: operands
// and their sizes change places, `op` letters stay; and a lower triangle is an upper one.
//
// The work is cut up here, over the threads of this backend, and each piece is a call of BLAS on one thread. BLAS
// libraries' own threads spin for a while when a call is over, and take the processor from those of the next operation.
#include <cmath>
#include <limits>

#include "backend/cpu/blas.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "base/error.h"

namespace lyaplock::cpu {

namespace {

/// Multiply-adds that are worth waking a thread for: some tens of microseconds.
constexpr std::size_t product_grain = std::size_t{1} << 20;

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

/// C = alpha op(A) op(B) + beta C on this thread.
template <class T>
void multiply(Transpose a_op, Transpose b_op, T alpha, ConstMatrixView<T> a, ConstMatrixView<T> b, T beta,
              MatrixView<T> c) {
  if (c.empty()) return;
  const std::size_t k = a_op == Transpose::no ? a.cols : a.rows;
  // C^T [n, m] = op(B)^T [n, k] op(A)^T [k, m]
  call_gemm(blas_op(b_op), blas_op(a_op), blas_size(c.cols), blas_size(c.rows), blas_size(k), alpha, b.data,
            blas_stride(b), a.data, blas_stride(a), beta, c.data, blas_stride(c));
}

/// The same with C [1, n], as when text is generated token by token: gemm would copy all of B first.
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

/// Rows [begin, begin + count) of op(A), as a part of A.
template <class T>
MatrixView<T> rows_of(Transpose op, const MatrixView<T>& a, std::size_t begin, std::size_t count) {
  return op == Transpose::no ? a.row_range(begin, count) : a.column_range(begin, count);
}

template <class T>
MatrixView<T> columns_of(Transpose op, const MatrixView<T>& a, std::size_t begin, std::size_t count) {
  return op == Transpose::no ? a.column_range(begin, count) : a.row_range(begin, count);
}

/// Calls body(A's part, B's part, C's part) for pieces of C: rows or columns, whichever are more.
template <class T, class Body>
void over_products(ThreadPool& pool, Transpose a_op, Transpose b_op, ConstMatrixView<T> a, ConstMatrixView<T> b,
                   MatrixView<T> c, const Body& body) {
  if (c.empty()) return;
  const std::size_t k = std::max<std::size_t>(1, a_op == Transpose::no ? a.cols : a.rows);
  const bool by_rows = c.rows >= c.cols;
  const std::size_t grain = product_grain / (std::min(c.rows, c.cols) * k) + 1;
  pool.parallel_for(std::max(c.rows, c.cols), grain, [&](std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    if (by_rows)
      body(rows_of(a_op, a, begin, count), b, c.row_range(begin, count));
    else
      body(a, columns_of(b_op, b, begin, count), c.column_range(begin, count));
  });
}

/// Lower triangle of C = alpha op(A) op(A)^T + beta C on this thread.
void multiply_by_own_transpose(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta,
                               MatrixView<double> c) {
  const int n = blas_size(c.rows);
  const int k = blas_size(a_op == Transpose::no ? a.cols : a.rows);
  const int a_stride = blas_stride(a);
  const int c_stride = blas_stride(c);
  // C is symmetric and stays in place; A arrives transposed, so op turns round.
  dsyrk_("U", a_op == Transpose::no ? "T" : "N", &n, &k, &alpha, a.data, &a_stride, &beta, c.data, &c_stride);
}

Transpose other(Transpose op) { return op == Transpose::no ? Transpose::yes : Transpose::no; }

/// Cholesky of the lower triangle on this thread; returns 0 or the leading minor that is not positive.
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

/// B = op(L)^-1 B or B op(L)^-1 on this thread.
void solve(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  const int m = blas_size(b.cols);
  const int n = blas_size(b.rows);
  const int l_stride = blas_stride(l);
  const int b_stride = blas_stride(b);
  const double one = 1.0;
  // (op(L)^-1 B)^T = B^T op(L)^-T: the side turns round; L arrives as the upper L^T, so op stays.
  dtrsm_(side == Side::left ? "R" : "L", "U", blas_op(l_op), "N", &m, &n, &one, l.data, &l_stride, b.data, &b_stride);
}

}  // namespace

void CpuBackend::gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                      float beta, MatrixView<float> c) {
  const bool is_row = c.rows == 1 && !a.empty();
  over_products(pool_, a_op, b_op, a, b, c, [&](auto a_part, auto b_part, auto c_part) {
    if (is_row)
      multiply_row(a_op, b_op, alpha, a_part, b_part, beta, c_part);
    else
      multiply(a_op, b_op, alpha, a_part, b_part, beta, c_part);
  });
}

void CpuBackend::gemm(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a,
                      ConstMatrixView<double> b, double beta, MatrixView<double> c) {
  over_products(pool_, a_op, b_op, a, b, c, [&](auto a_part, auto b_part, auto c_part) {
    multiply(a_op, b_op, alpha, a_part, b_part, beta, c_part);
  });
}

void CpuBackend::syrk(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta, MatrixView<double> c) {
  if (c.empty()) return;
  // Blocks of rows, each from the left edge to the diagonal. One task takes a block from the top and the block as far
  // from the bottom: together they are as much work as any other two.
  constexpr std::size_t smallest_block = 64;
  const std::size_t n = c.rows;
  const std::size_t k = a_op == Transpose::no ? a.cols : a.rows;
  const std::size_t worthwhile = std::min(n / smallest_block, n * n * k / product_grain);
  const std::size_t blocks = std::clamp<std::size_t>(worthwhile, 1, 2 * pool_.size());
  const auto block = [&](std::size_t index) {
    const std::size_t begin = n * index / blocks;
    const std::size_t count = n * (index + 1) / blocks - begin;
    const ConstMatrixView<double> rows = rows_of(a_op, a, begin, count);
    const MatrixView<double> band = c.row_range(begin, count);
    multiply(a_op, other(a_op), alpha, rows, rows_of(a_op, a, 0, begin), beta, band.column_range(0, begin));
    multiply_by_own_transpose(a_op, alpha, rows, beta, band.column_range(begin, count));
  };
  pool_.parallel_for((blocks + 1) / 2, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t task = begin; task < end; ++task) {
      block(task);
      if (blocks - 1 - task != task) block(blocks - 1 - task);
    }
  });
}

std::size_t CpuBackend::potrf(MatrixView<double> a) {
  // A panel of columns at a time: its diagonal block is factored on this thread, the rows below it and then what is to
  // the right of it on all threads. One panel is enough where there is one thread.
  const std::size_t panel = pool_.size() == 1 ? a.rows : 128;
  for (std::size_t begin = 0; begin < a.rows; begin += panel) {
    const std::size_t width = std::min(panel, a.rows - begin);
    const std::size_t next = begin + width;
    const std::size_t below = a.rows - next;
    const MatrixView<double> columns = a.column_range(begin, width);
    const MatrixView<double> diagonal = columns.row_range(begin, width);
    if (const std::size_t minor = factor(diagonal); minor != 0) return begin + minor;
    const MatrixView<double> rest = columns.row_range(next, below);
    trsm(Side::right, Transpose::yes, diagonal, rest);
    syrk(Transpose::no, -1.0, rest, 1.0, a.row_range(next, below).column_range(next, below));
  }
  return 0;
}

void CpuBackend::trsm(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  if (b.empty()) return;
  // Columns of B are independent on the left, rows on the right.
  const bool left = side == Side::left;
  const std::size_t grain = product_grain / (l.rows * l.rows) + 1;
  pool_.parallel_for(left ? b.cols : b.rows, grain, [&](std::size_t begin, std::size_t end) {
    solve(side, l_op, l, left ? b.column_range(begin, end - begin) : b.row_range(begin, end - begin));
  });
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
