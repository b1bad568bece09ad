#include <algorithm>
#include <cmath>

#include "backend/cpu/row_major.h"
#include "backend/cpu/shared_blas.h"
#include "backend/cpu/wide_product.h"

namespace lyaplock::cpu {

template <class T>
void add_product(ThreadPool& pool, Transpose a_op, Transpose b_op, T alpha, ConstMatrixView<T> a, ConstMatrixView<T> b,
                 T beta, MatrixView<T> c) {
  if (c.empty()) return;
  // Pieces of C: rows or columns, whichever are more, so that the larger operand is copied once.
  const bool by_rows = c.rows >= c.cols;
  const std::size_t k = std::max<std::size_t>(1, inner_size(a_op, a));
  const std::size_t grain = product_grain / (std::min(c.rows, c.cols) * k) + 1;
  pool.parallel_for(std::max(c.rows, c.cols), grain, [&](std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    if (by_rows)
      multiply(a_op, b_op, alpha, rows_of(a_op, a, begin, count), b, beta, c.row_range(begin, count));
    else
      multiply(a_op, b_op, alpha, a, columns_of(b_op, b, begin, count), beta, c.column_range(begin, count));
  });
}

void add_wide_product(ThreadPool& pool, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                      float beta, MatrixView<float> c) {
  if (c.empty()) return;
  // Of as many rows' products as the copy of B costs.
  constexpr std::size_t copy = 20;
  const auto share = [&](std::size_t size) { return (size + pool.size() - 1) / pool.size(); };
  const std::size_t panels = (c.cols + wide_product_columns - 1) / wide_product_columns;
  const bool by_rows = (share(c.rows) + copy) * panels < (c.rows + copy) * share(panels);
  const std::size_t pieces = by_rows ? c.rows : panels;
  const std::size_t grain = product_grain * pieces / (c.size() * std::max<std::size_t>(1, a.cols)) + 1;
  pool.parallel_for(pieces, grain, [&](std::size_t first, std::size_t last) {
    if (by_rows)
      return multiply_wide(b_op, alpha, a.row_range(first, last - first), b, beta, c.row_range(first, last - first));
    const std::size_t begin = first * wide_product_columns;
    const std::size_t count = std::min(last * wide_product_columns, c.cols) - begin;
    multiply_wide(b_op, alpha, a, columns_of(b_op, b, begin, count), beta, c.column_range(begin, count));
  });
}

template <class T>
void add_own_product(ThreadPool& pool, Transpose a_op, T alpha, ConstMatrixView<T> a, T beta, MatrixView<T> c) {
  if (c.empty()) return;
  // A band of rows for every thread, from the left edge to the diagonal. Their edges lie at the square roots of equal
  // shares, where the parts of a triangle are of one size. More and smaller bands would even out the threads' fortunes,
  // but copy so much more that several hundredths are lost, most in float32.
  constexpr std::size_t smallest_band = 64;
  const std::size_t n = c.rows;
  const std::size_t worthwhile = std::min(n / smallest_band, n * n * inner_size(a_op, a) / product_grain);
  const std::size_t bands = std::clamp<std::size_t>(worthwhile, 1, pool.size());
  const auto edge = [n, bands](std::size_t index) {
    const double share = static_cast<double>(index) / static_cast<double>(bands);
    return index == bands ? n : static_cast<std::size_t>(std::sqrt(share) * static_cast<double>(n));
  };
  pool.parallel_for(bands, 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t index = first; index < last; ++index) {
      const std::size_t begin = edge(index);
      const std::size_t count = edge(index + 1) - begin;
      const ConstMatrixView<T> rows = rows_of(a_op, a, begin, count);
      const MatrixView<T> band = c.row_range(begin, count);
      multiply(a_op, other(a_op), alpha, rows, rows_of(a_op, a, 0, begin), beta, band.column_range(0, begin));
      multiply_by_own_transpose(a_op, alpha, rows, beta, band.column_range(begin, count));
    }
  });
}

template void add_product<float>(ThreadPool&, Transpose, Transpose, float, ConstMatrixView<float>,
                                 ConstMatrixView<float>, float, MatrixView<float>);
template void add_product<double>(ThreadPool&, Transpose, Transpose, double, ConstMatrixView<double>,
                                  ConstMatrixView<double>, double, MatrixView<double>);
template void add_own_product<float>(ThreadPool&, Transpose, float, ConstMatrixView<float>, float, MatrixView<float>);
template void add_own_product<double>(ThreadPool&, Transpose, double, ConstMatrixView<double>, double,
                                      MatrixView<double>);

}  // namespace lyaplock::cpu
