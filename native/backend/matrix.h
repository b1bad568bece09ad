// A matrix in a backend's memory.
#pragma once

#include <limits>
#include <vector>

#include "backend/backend.h"
#include "base/error.h"

namespace lyaplock {

/// Owns [rows, cols] elements, dense and uninitialised, in the memory of the backend it was made on; moves, does not
/// copy.
template <class T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(Backend& backend, std::size_t rows, std::size_t cols) : rows_(rows), cols_(cols) {
    if (cols != 0 && rows > std::numeric_limits<std::size_t>::max() / sizeof(T) / cols)
      throw Error(ErrorCode::out_of_memory,
                  "A matrix of [" + std::to_string(rows) + ", " + std::to_string(cols) + "] exceeds the address space");
    memory_ = backend.allocate(rows * cols * sizeof(T));
  }
  Matrix(Matrix&&) noexcept = default;
  Matrix& operator=(Matrix&&) noexcept = default;

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }
  [[nodiscard]] std::size_t bytes() const { return rows_ * cols_ * sizeof(T); }
  [[nodiscard]] bool empty() const { return rows_ * cols_ == 0; }

  [[nodiscard]] MatrixView<T> view() { return {static_cast<T*>(memory_.get()), rows_, cols_}; }
  [[nodiscard]] ConstMatrixView<T> view() const { return {static_cast<const T*>(memory_.get()), rows_, cols_}; }
  operator MatrixView<T>() { return view(); }
  operator ConstMatrixView<T>() const { return view(); }

  /// Another owner of the same elements: for handing out, without a copy, what will not be written any more.
  [[nodiscard]] Matrix share() const {
    Matrix other;
    other.memory_ = memory_;
    other.rows_ = rows_;
    other.cols_ = cols_;
    return other;
  }
  /// False once every other owner is gone.
  [[nodiscard]] bool is_shared() const { return memory_.use_count() > 1; }
  /// The elements' memory, for an owner that may outlive the matrix.
  [[nodiscard]] std::shared_ptr<void> memory() const { return memory_; }

 private:
  std::shared_ptr<void> memory_;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
};

/// The first rows of a buffer that has room for more.
template <class T>
MatrixView<T> first_rows(Matrix<T>& buffer, std::size_t rows) {
  return buffer.view().row_range(0, rows);
}
template <class T>
ConstMatrixView<T> first_rows(const Matrix<T>& buffer, std::size_t rows) {
  return buffer.view().row_range(0, rows);
}
/// The first entries of a row vector that has room for more; an empty one stays empty.
template <class T>
MatrixView<T> first_entries(Matrix<T>& buffer, std::size_t count) {
  return buffer.empty() ? buffer.view() : buffer.view().column_range(0, count);
}

/// Copies host values, row-major and dense, to a new matrix.
template <class T>
Matrix<T> upload(Backend& backend, std::span<const T> host, std::size_t rows, std::size_t cols) {
  if (host.size() != rows * cols)
    throw Error(ErrorCode::shape, "Expected " + std::to_string(rows) + " x " + std::to_string(cols) +
                                      " values; received " + std::to_string(host.size()));
  Matrix<T> matrix(backend, rows, cols);
  backend.upload(matrix.view().data, host.data(), matrix.bytes());
  return matrix;
}

/// Copies a matrix, which must be dense, to the host, row-major.
template <class T>
std::vector<T> download(Backend& backend, ConstMatrixView<T> matrix) {
  if (matrix.stride != matrix.cols && matrix.rows > 1)
    throw Error(ErrorCode::internal, "download needs a dense matrix");
  std::vector<T> host(matrix.size());
  backend.download(host.data(), matrix.data, host.size() * sizeof(T));
  return host;
}

}  // namespace lyaplock
