// Products with a matrix that is held in bfloat16.
#pragma once

#include <algorithm>

#include "backend/matrix.h"
#include "backend/row_major.h"

namespace lyaplock {

/// C = alpha op(A) op(B) + beta C in float32, of a B that is not empty: some rows of B at a time become float32, at
/// most about `elements_at_once`, so that the copy takes little memory.
inline void gemm_widened(Backend& backend, std::size_t elements_at_once, Transpose a_op, Transpose b_op, float alpha,
                         ConstMatrixView<float> a, ConstMatrixView<Bfloat16> b, float beta, MatrixView<float> c) {
  const std::size_t at_once = std::clamp<std::size_t>(elements_at_once / b.cols, 1, b.rows);
  Matrix<float> whole(backend, at_once, b.cols);
  for (std::size_t begin = 0; begin < b.rows; begin += at_once) {
    const std::size_t count = std::min(at_once, b.rows - begin);
    const MatrixView<float> piece = first_rows(whole, count);
    backend.convert(b.row_range(begin, count), piece);
    if (b_op == Transpose::yes)
      backend.gemm(a_op, b_op, alpha, a, piece, beta, c.column_range(begin, count));
    else
      backend.gemm(a_op, b_op, alpha, columns_of(a_op, a, begin, count), piece, begin == 0 ? beta : 1.0F, c);
  }
}

}  // namespace lyaplock
