// From one orientation of a matrix to the other, on the host.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/matrix_view.h"

namespace lyaplock {

/// out [cols, rows] = the transpose of source [rows, cols].
template <class T>
void transpose(ConstMatrixView<T> source, MatrixView<T> out) {
  // Tiles keep both sides in cache; the largest matrix of GPT-2 XL is 40 MB.
  constexpr std::size_t kTile = 32;
  for (std::size_t i0 = 0; i0 < source.rows; i0 += kTile)
    for (std::size_t j0 = 0; j0 < source.cols; j0 += kTile)
      for (std::size_t i = i0; i < std::min(i0 + kTile, source.rows); ++i)
        for (std::size_t j = j0; j < std::min(j0 + kTile, source.cols); ++j) out(j, i) = source(i, j);
}

}  // namespace lyaplock
