// A lower triangle to which rows are added, and the systems it solves.
#pragma once

#include <vector>

#include "edit/blocked_rows.h"

namespace lyaplock {

/// The lower triangle of [n, n] in panels of rows, each from the left edge to the end of its diagonal block, which is
/// all the memory it takes. What lies above the diagonal is undefined. Panels are as high as the blocks of BlockedRows.
class LowerTriangle {
 public:
  static constexpr std::size_t panel_rows = BlockedRows::block_rows;

  /// Adds rows [u, n + u] below the n there are; their last u columns are the diagonal block, whose lower triangle
  /// counts.
  void append(Backend& backend, ConstMatrixView<double> rows);

  /// Calls use(panel, first) for pieces that cover rows [begin, end) in order: panel [k, first + k], from the left edge
  /// to the end of the piece's own diagonal block; `first` is its first row.
  template <class Use>
  void each(std::size_t begin, std::size_t end, const Use& use) {
    pieces(*this, begin, end, use);
  }
  template <class Use>
  void each(std::size_t begin, std::size_t end, const Use& use) const {
    pieces(*this, begin, end, use);
  }

  /// Rows [begin, end), columns [left, right) with right <= end, in one piece.
  [[nodiscard]] Matrix<double> copy(Backend& backend, std::size_t begin, std::size_t end, std::size_t left,
                                    std::size_t right) const;

  /// x [u, n] := x L^-T and x L^-1, L being the first n rows; in place.
  void solve_right_transposed(Backend& backend, MatrixView<double> x) const;
  void solve_right(Backend& backend, MatrixView<double> x) const;
  /// x [n, m] := L^-1 x and L^-T x, in place.
  void solve_left(Backend& backend, BlockedRows& x) const;
  void solve_left_transposed(Backend& backend, BlockedRows& x) const;

  void shrink(std::size_t rows) { rows_ = std::min(rows, rows_); }
  void clear() {
    panels_.clear();
    rows_ = 0;
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  template <class Self, class Use>
  static void pieces(Self& self, std::size_t begin, std::size_t end, const Use& use) {
    while (begin < end) {
      const std::size_t within = begin % panel_rows;
      const std::size_t count = std::min(end - begin, panel_rows - within);
      auto panel = self.panels_[begin / panel_rows].view();
      use(panel.row_range(within, count).column_range(0, begin + count), begin);
      begin += count;
    }
  }

  std::size_t rows_ = 0;
  std::vector<Matrix<double>> panels_;
};

}  // namespace lyaplock
