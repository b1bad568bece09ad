#include "edit/lower_triangle.h"

namespace lyaplock {

namespace {

/// The pieces of rows [0, n), first and last row of each: for loops that go backwards.
std::vector<std::pair<std::size_t, std::size_t>> piece_ranges(std::size_t n) {
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  for (std::size_t first = 0; first < n; first += LowerTriangle::panel_rows)
    ranges.emplace_back(first, std::min(n, first + LowerTriangle::panel_rows));
  return ranges;
}

}  // namespace

void LowerTriangle::append(Backend& backend, ConstMatrixView<double> rows) {
  const std::size_t begin = rows_, end = rows_ + rows.rows;
  while (panels_.size() * panel_rows < end)
    panels_.emplace_back(backend, panel_rows, (panels_.size() + 1) * panel_rows);
  each(begin, end, [&](MatrixView<double> panel, std::size_t first) {
    backend.copy(rows.row_range(first - begin, panel.rows).column_range(0, panel.cols), panel);
  });
  rows_ = end;
}

Matrix<double> LowerTriangle::copy(Backend& backend, std::size_t begin, std::size_t end, std::size_t left,
                                   std::size_t right) const {
  Matrix<double> out(backend, end - begin, right - left);
  each(begin, end, [&](ConstMatrixView<double> panel, std::size_t first) {
    const std::size_t cols = std::min(panel.cols, right) - left;
    backend.copy(panel.column_range(left, cols), out.view().row_range(first - begin, panel.rows).column_range(0, cols));
  });
  return out;
}

void LowerTriangle::solve_right_transposed(Backend& backend, MatrixView<double> x) const {
  each(0, x.cols, [&](ConstMatrixView<double> panel, std::size_t first) {
    const MatrixView<double> here = x.column_range(first, panel.rows);
    backend.gemm(Transpose::no, Transpose::yes, -1.0, x.column_range(0, first), panel.column_range(0, first), 1.0,
                 here);
    backend.trsm(Side::right, Transpose::yes, panel.column_range(first, panel.rows), here);
  });
}

void LowerTriangle::solve_right(Backend& backend, MatrixView<double> x) const {
  const auto ranges = piece_ranges(x.cols);
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range)
    each(range->first, range->second, [&](ConstMatrixView<double> panel, std::size_t first) {
      const MatrixView<double> here = x.column_range(first, panel.rows);
      backend.trsm(Side::right, Transpose::no, panel.column_range(first, panel.rows), here);
      backend.gemm(Transpose::no, Transpose::no, -1.0, here, panel.column_range(0, first), 1.0,
                   x.column_range(0, first));
    });
}

void LowerTriangle::solve_left(Backend& backend, BlockedRows& x) const {
  each(0, x.rows(), [&](ConstMatrixView<double> panel, std::size_t first) {
    x.each(first, first + panel.rows, [&](MatrixView<double> here, std::size_t) {
      x.each(0, first, [&](ConstMatrixView<double> above, std::size_t left) {
        backend.gemm(Transpose::no, Transpose::no, -1.0, panel.column_range(left, above.rows), above, 1.0, here);
      });
      backend.trsm(Side::left, Transpose::no, panel.column_range(first, panel.rows), here);
    });
  });
}

void LowerTriangle::solve_left_transposed(Backend& backend, BlockedRows& x) const {
  const auto ranges = piece_ranges(x.rows());
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range)
    each(range->first, range->second, [&](ConstMatrixView<double> panel, std::size_t first) {
      x.each(first, first + panel.rows, [&](MatrixView<double> here, std::size_t) {
        backend.trsm(Side::left, Transpose::yes, panel.column_range(first, panel.rows), here);
        x.each(0, first, [&](MatrixView<double> above, std::size_t left) {
          backend.gemm(Transpose::yes, Transpose::no, -1.0, panel.column_range(left, above.rows), here, 1.0, above);
        });
      });
    });
}

std::size_t LowerTriangle::bytes() const {
  std::size_t elements = 0;
  each(0, rows_, [&](ConstMatrixView<double> panel, std::size_t) { elements += panel.size(); });
  return elements * sizeof(double);
}

}  // namespace lyaplock
