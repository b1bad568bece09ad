// Triangular systems and Cholesky by halves: L = [L11 0; L21 L22]. Nearly all of the work is then in products with L21,
// which keep the threads busy on parts of L21 that each copies alone, however few right-hand sides there are; a library
// that shares out the right-hand sides copies all of L on every thread.
#include <algorithm>

#include "backend/cpu/row_major.h"
#include "backend/cpu/shared_blas.h"

namespace lyaplock::cpu {

namespace {

/// Triangles up to this size are not halved further. A small triangle is worked on at a fraction of the speed of
/// products and, to be factored, by one thread, which argues for less; every halving wakes the threads once more, which
/// argues for more, and for much more while other programs want the processor too. From 64 to 512 a quiet machine shows
/// little difference.
constexpr std::size_t smallest_triangle = 256;

/// The size of L11: half, in whole smallest triangles.
std::size_t upper_half(std::size_t n) { return (n / smallest_triangle + 1) / 2 * smallest_triangle; }

/// Rows of right-hand sides are rows of B on the right, columns on the left: each thread solves for its own.
void solve_small(ThreadPool& pool, Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  const bool left = side == Side::left;
  const std::size_t grain = product_grain / (l.rows * l.rows) + 1;
  pool.parallel_for(left ? b.cols : b.rows, grain, [&](std::size_t begin, std::size_t end) {
    solve(side, l_op, l, left ? b.column_range(begin, end - begin) : b.row_range(begin, end - begin));
  });
}

}  // namespace

void solve_triangular(ThreadPool& pool, Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  if (b.empty()) return;
  const std::size_t n = l.rows;
  if (n <= smallest_triangle) return solve_small(pool, side, l_op, l, b);
  const bool left = side == Side::left;
  const std::size_t half = upper_half(n);
  const std::size_t rest = n - half;
  const ConstMatrixView<double> l21 = l.row_range(half, rest).column_range(0, half);
  const MatrixView<double> b1 = left ? b.row_range(0, half) : b.column_range(0, half);
  const MatrixView<double> b2 = left ? b.row_range(half, rest) : b.column_range(half, rest);
  const auto solve_first = [&] { solve_triangular(pool, side, l_op, l.row_range(0, half).column_range(0, half), b1); };
  const auto solve_second = [&] {
    solve_triangular(pool, side, l_op, l.row_range(half, rest).column_range(half, rest), b2);
  };
  // The product that takes what is solved out of what is not: with op(L21) on B's side of it.
  const auto subtract = [&](MatrixView<double> solved, MatrixView<double> open) {
    if (left)
      add_product<double>(pool, l_op, Transpose::no, -1.0, l21, solved, 1.0, open);
    else
      add_product<double>(pool, Transpose::no, l_op, -1.0, solved, l21, 1.0, open);
  };
  // L X = B and X L^T = B begin at the top of L, the other two at its bottom.
  if (left == (l_op == Transpose::no)) {
    solve_first();
    subtract(b1, b2);
    solve_second();
  } else {
    solve_second();
    subtract(b2, b1);
    solve_first();
  }
}

std::size_t factor_positive_definite(ThreadPool& pool, MatrixView<double> a) {
  const std::size_t n = a.rows;
  if (n == 0) return 0;
  // One thread has nobody to wait for.
  if (n <= smallest_triangle || pool.size() == 1) return factor(a);
  const std::size_t half = upper_half(n);
  const std::size_t rest = n - half;
  const MatrixView<double> a11 = a.row_range(0, half).column_range(0, half);
  const MatrixView<double> a21 = a.row_range(half, rest).column_range(0, half);
  const MatrixView<double> a22 = a.row_range(half, rest).column_range(half, rest);
  if (const std::size_t minor = factor_positive_definite(pool, a11); minor != 0) return minor;
  solve_triangular(pool, Side::right, Transpose::yes, a11, a21);
  add_own_product<double>(pool, Transpose::no, -1.0, a21, 1.0, a22);
  const std::size_t minor = factor_positive_definite(pool, a22);
  return minor == 0 ? 0 : half + minor;
}

}  // namespace lyaplock::cpu
