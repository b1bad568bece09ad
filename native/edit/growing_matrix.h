// A matrix to which rows are added.
#pragma once

#include <algorithm>

#include "backend/matrix.h"

namespace lyaplock {

/// Rows [n, cols] in memory that doubles as it fills, so that n appends copy O(n) rows in all.
class GrowingMatrix {
 public:
  explicit GrowingMatrix(std::size_t cols) : cols_(cols) {}

  /// Makes room for `extra` more rows; the content stays. Afterwards `append` of as many rows cannot fail.
  void reserve(Backend& backend, std::size_t extra) {
    if (rows_ + extra <= storage_.rows()) return;
    Matrix<double> larger(backend, std::max(rows_ + extra, 2 * storage_.rows()), cols_);
    backend.copy(view(), larger.view().row_range(0, rows_));
    storage_ = std::move(larger);
  }
  void append(Backend& backend, ConstMatrixView<double> rows) {
    reserve(backend, rows.rows);
    backend.copy(rows, storage_.view().row_range(rows_, rows.rows));
    rows_ += rows.rows;
  }

  /// Forgets the rows from `rows` on; the memory stays.
  void shrink(std::size_t rows) { rows_ = std::min(rows, rows_); }

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t bytes() const { return storage_.bytes(); }
  [[nodiscard]] MatrixView<double> view() { return storage_.view().row_range(0, rows_); }
  [[nodiscard]] ConstMatrixView<double> view() const { return storage_.view().row_range(0, rows_); }

 private:
  std::size_t cols_;
  std::size_t rows_ = 0;
  Matrix<double> storage_;
};

}  // namespace lyaplock
