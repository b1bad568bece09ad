// A matrix to which rows are added.
#pragma once

#include <algorithm>
#include <vector>

#include "backend/matrix.h"

namespace lyaplock {

/// Rows [n, cols] in blocks of memory of their own: adding rows moves none of those that are there, so that a matrix
/// never takes more than its own size, not even while it grows.
class BlockedRows {
 public:
  /// Long enough for products of one block to run at full speed.
  static constexpr std::size_t block_rows = 1024;

  explicit BlockedRows(std::size_t cols) : cols_(cols) {}

  /// Makes room for `extra` more rows; the `append` of as many can then no longer fail.
  void reserve(Backend& backend, std::size_t extra) {
    while (blocks_.size() * block_rows < rows_ + extra) blocks_.emplace_back(backend, block_rows, cols_);
  }
  void append(Backend& backend, ConstMatrixView<double> rows) {
    reserve(backend, rows.rows);
    const std::size_t begin = rows_;
    rows_ += rows.rows;
    each(begin, rows_, [&](MatrixView<double> piece, std::size_t first) {
      backend.copy(rows.row_range(first - begin, piece.rows), piece);
    });
  }

  /// Calls use(piece, first) for pieces that cover rows [begin, end) in order; `first` is the row a piece begins with.
  /// Two matrices of as many rows have the same pieces.
  template <class Use>
  void each(std::size_t begin, std::size_t end, const Use& use) {
    pieces(*this, begin, end, use);
  }
  template <class Use>
  void each(std::size_t begin, std::size_t end, const Use& use) const {
    pieces(*this, begin, end, use);
  }

  /// Rows [begin, end) in one piece.
  [[nodiscard]] Matrix<double> copy(Backend& backend, std::size_t begin, std::size_t end) const {
    Matrix<double> out(backend, end - begin, cols_);
    each(begin, end, [&](ConstMatrixView<double> piece, std::size_t first) {
      backend.copy(piece, out.view().row_range(first - begin, piece.rows));
    });
    return out;
  }

  /// Forgets the rows from `rows` on; their memory stays.
  void shrink(std::size_t rows) { rows_ = std::min(rows, rows_); }
  /// Forgets everything.
  void clear() {
    blocks_.clear();
    rows_ = 0;
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }
  /// Of the rows there are; what is reserved beyond them is not touched before it is used.
  [[nodiscard]] std::size_t bytes() const { return rows_ * cols_ * sizeof(double); }

 private:
  template <class Self, class Use>
  static void pieces(Self& self, std::size_t begin, std::size_t end, const Use& use) {
    while (begin < end) {
      const std::size_t within = begin % block_rows;
      const std::size_t count = std::min(end - begin, block_rows - within);
      use(self.blocks_[begin / block_rows].view().row_range(within, count), begin);
      begin += count;
    }
  }

  std::size_t cols_;
  std::size_t rows_ = 0;
  std::vector<Matrix<double>> blocks_;
};

}  // namespace lyaplock
