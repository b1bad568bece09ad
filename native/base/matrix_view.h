// A matrix somebody else owns.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

namespace lyaplock {

/// Row-major [rows, cols]: element (i, j) is data[i * stride + j], with stride >= cols. A view is a value; it owns
/// nothing, and is valid while the memory it was made from is.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;

  // constexpr, so that kernels of a GPU may call them.
  constexpr MatrixView() = default;
  constexpr MatrixView(T* data, std::size_t rows, std::size_t cols) : MatrixView(data, rows, cols, cols) {}
  constexpr MatrixView(T* data, std::size_t rows, std::size_t cols, std::size_t stride)
      : data(data), rows(rows), cols(cols), stride(stride) {}

  /// A view of mutable elements serves wherever one of constant elements is due.
  constexpr operator MatrixView<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, rows, cols, stride};
  }

  [[nodiscard]] constexpr T* row(std::size_t i) const { return data + i * stride; }
  [[nodiscard]] constexpr T& operator()(std::size_t i, std::size_t j) const { return data[i * stride + j]; }
  [[nodiscard]] constexpr std::size_t size() const { return rows * cols; }
  [[nodiscard]] constexpr bool empty() const { return size() == 0; }

  /// Rows [begin, begin + count).
  [[nodiscard]] constexpr MatrixView row_range(std::size_t begin, std::size_t count) const {
    return {data + begin * stride, count, cols, stride};
  }
  /// Columns [begin, begin + count).
  [[nodiscard]] constexpr MatrixView column_range(std::size_t begin, std::size_t count) const {
    return {data + begin, rows, count, stride};
  }
};

template <class T>
using ConstMatrixView = MatrixView<const T>;

/// "[rows, cols]", for messages.
template <class T>
std::string shape_of(const MatrixView<T>& matrix) {
  return "[" + std::to_string(matrix.rows) + ", " + std::to_string(matrix.cols) + "]";
}

}  // namespace lyaplock
