// From one orientation of a matrix to the other, on the host.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace lyaplock {

/// out [cols, rows] = the transpose of source [rows, cols].
inline void transpose(std::span<const float> source, std::size_t rows, std::size_t cols, std::span<float> out) {
  // Tiles keep both sides in cache; the largest matrix of GPT-2 XL is 40 MB.
  constexpr std::size_t kTile = 32;
  for (std::size_t i0 = 0; i0 < rows; i0 += kTile)
    for (std::size_t j0 = 0; j0 < cols; j0 += kTile)
      for (std::size_t i = i0; i < std::min(i0 + kTile, rows); ++i)
        for (std::size_t j = j0; j < std::min(j0 + kTile, cols); ++j) out[j * rows + i] = source[i * cols + j];
}

}  // namespace lyaplock
