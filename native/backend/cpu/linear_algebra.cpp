// The work is cut up here, over the threads of this backend, and each piece is a call of BLAS on one thread. BLAS
// libraries' own threads spin for a while when a call is over, and take the processor from those of the next operation.
#include "backend/counted_flops.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/row_major.h"

namespace lyaplock::cpu {

namespace {

/// Multiply-adds that are worth waking a thread for: some tens of microseconds.
constexpr std::size_t product_grain = std::size_t{1} << 20;

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

/// Lower triangle of C = alpha op(A) op(A)^T + beta C.
template <class T>
void add_own_product(ThreadPool& pool, Transpose a_op, T alpha, ConstMatrixView<T> a, T beta, MatrixView<T> c) {
  if (c.empty()) return;
  // Blocks of rows, each from the left edge to the diagonal. One task takes a block from the top and the block as far
  // from the bottom: together they are as much work as any other two.
  constexpr std::size_t smallest_block = 64;
  const std::size_t n = c.rows;
  const std::size_t k = a_op == Transpose::no ? a.cols : a.rows;
  const std::size_t worthwhile = std::min(n / smallest_block, n * n * k / product_grain);
  const std::size_t blocks = std::clamp<std::size_t>(worthwhile, 1, 2 * pool.size());
  const auto block = [&](std::size_t index) {
    const std::size_t begin = n * index / blocks;
    const std::size_t count = n * (index + 1) / blocks - begin;
    const ConstMatrixView<T> rows = rows_of(a_op, a, begin, count);
    const MatrixView<T> band = c.row_range(begin, count);
    multiply(a_op, other(a_op), alpha, rows, rows_of(a_op, a, 0, begin), beta, band.column_range(0, begin));
    multiply_by_own_transpose(a_op, alpha, rows, beta, band.column_range(begin, count));
  };
  pool.parallel_for((blocks + 1) / 2, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t task = begin; task < end; ++task) {
      block(task);
      if (blocks - 1 - task != task) block(blocks - 1 - task);
    }
  });
}

/// C = alpha op(A) op(B) + beta C.
template <class T>
void add_product(ThreadPool& pool, Transpose a_op, Transpose b_op, T alpha, ConstMatrixView<T> a, ConstMatrixView<T> b,
                 T beta, MatrixView<T> c) {
  over_products(pool, a_op, b_op, a, b, c, [&](auto a_part, auto b_part, auto c_part) {
    multiply(a_op, b_op, alpha, a_part, b_part, beta, c_part);
  });
}

/// B = op(L)^-1 B or B op(L)^-1.
void solve_triangular(ThreadPool& pool, Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  if (b.empty()) return;
  // Columns of B are independent on the left, rows on the right.
  const bool left = side == Side::left;
  const std::size_t grain = product_grain / (l.rows * l.rows) + 1;
  pool.parallel_for(left ? b.cols : b.rows, grain, [&](std::size_t begin, std::size_t end) {
    solve(side, l_op, l, left ? b.column_range(begin, end - begin) : b.row_range(begin, end - begin));
  });
}

/// Cholesky of the lower triangle; returns 0 or the leading minor that is not positive.
std::size_t factor_shared(ThreadPool& pool, MatrixView<double> a) {
  // A panel of columns at a time: its diagonal block is factored on this thread, the rows below it and then what is to
  // the right of it on all threads. One panel is enough where there is one thread.
  const std::size_t panel = pool.size() == 1 ? a.rows : 128;
  for (std::size_t begin = 0; begin < a.rows; begin += panel) {
    const std::size_t width = std::min(panel, a.rows - begin);
    const std::size_t next = begin + width;
    const std::size_t below = a.rows - next;
    const MatrixView<double> columns = a.column_range(begin, width);
    const MatrixView<double> diagonal = columns.row_range(begin, width);
    if (const std::size_t minor = factor(diagonal); minor != 0) return begin + minor;
    const MatrixView<double> rest = columns.row_range(next, below);
    solve_triangular(pool, Side::right, Transpose::yes, diagonal, rest);
    add_own_product<double>(pool, Transpose::no, -1.0, rest, 1.0, a.row_range(next, below).column_range(next, below));
  }
  return 0;
}

/// k of op(A) [m, k].
template <class T>
std::size_t inner_size(Transpose a_op, const MatrixView<T>& a) {
  return a_op == Transpose::no ? a.cols : a.rows;
}

}  // namespace

void CpuBackend::gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                      float beta, MatrixView<float> c) {
  count_flops(flops::gemm(c.rows, c.cols, inner_size(a_op, a)));
  if (c.rows != 1 || a.empty()) return add_product(pool_, a_op, b_op, alpha, a, b, beta, c);
  over_products(pool_, a_op, b_op, a, b, c, [&](auto a_part, auto b_part, auto c_part) {
    multiply_row(a_op, b_op, alpha, a_part, b_part, beta, c_part);
  });
}

void CpuBackend::gemm(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a,
                      ConstMatrixView<double> b, double beta, MatrixView<double> c) {
  count_flops(flops::gemm(c.rows, c.cols, inner_size(a_op, a)));
  add_product(pool_, a_op, b_op, alpha, a, b, beta, c);
}

void CpuBackend::syrk(Transpose a_op, float alpha, ConstMatrixView<float> a, float beta, MatrixView<float> c) {
  count_flops(flops::syrk(c.rows, inner_size(a_op, a)));
  add_own_product(pool_, a_op, alpha, a, beta, c);
}
void CpuBackend::syrk(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta, MatrixView<double> c) {
  count_flops(flops::syrk(c.rows, inner_size(a_op, a)));
  add_own_product(pool_, a_op, alpha, a, beta, c);
}

std::size_t CpuBackend::potrf(MatrixView<double> a) {
  count_flops(flops::potrf(a.rows));
  return factor_shared(pool_, a);
}

void CpuBackend::trsm(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  count_flops(flops::trsm(l.rows, side == Side::left ? b.cols : b.rows));
  solve_triangular(pool_, side, l_op, l, b);
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
