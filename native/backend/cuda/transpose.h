// From one orientation of a matrix to the other.
#pragma once

#include "backend/cuda/loops.h"
#include "base/error.h"

namespace lyaplock::cuda {

inline constexpr unsigned transpose_tile = 32;
inline constexpr unsigned transpose_rows = 8;  // of threads, each of which takes several rows of a tile

/// to(j, i) = from(i, j), by tiles, so that both sides are read and written along their rows; with `strictly_lower`
/// only for i > j, and no other elements are read.
template <class T>
__global__ void transpose_kernel(ConstMatrixView<T> from, MatrixView<T> to, bool strictly_lower) {
  __shared__ T tile[transpose_tile][transpose_tile + 1];
  const std::size_t first_row = std::size_t{blockIdx.y} * transpose_tile;
  const std::size_t first_col = std::size_t{blockIdx.x} * transpose_tile;
  const auto is_wanted = [=](std::size_t i, std::size_t j) {
    return i < from.rows && j < from.cols && (i > j || !strictly_lower);
  };
  for (unsigned r = threadIdx.y; r < transpose_tile; r += transpose_rows) {
    const std::size_t i = first_row + r, j = first_col + threadIdx.x;
    if (is_wanted(i, j)) tile[r][threadIdx.x] = from(i, j);
  }
  __syncthreads();
  for (unsigned r = threadIdx.y; r < transpose_tile; r += transpose_rows) {
    const std::size_t i = first_row + threadIdx.x, j = first_col + r;
    if (is_wanted(i, j)) to(j, i) = tile[threadIdx.x][r];
  }
}

/// In place allowed (from.data == to.data) with `strictly_lower`.
template <class T>
void transpose(cudaStream_t stream, const char* operation, ConstMatrixView<T> from, MatrixView<T> to,
               bool strictly_lower) {
  if (from.empty()) return;
  // The grid's second dimension holds 65535 blocks.
  constexpr std::size_t rows_at_once = std::size_t{65535} * transpose_tile;
  if (from.rows > rows_at_once)
    throw Error(ErrorCode::invalid_argument, std::string(operation) + " of " + shape_of(from) + " has too many rows");
  const dim3 grid(blocks_for(from.cols, transpose_tile, std::size_t{1} << 30),
                  blocks_for(from.rows, transpose_tile, 65535));
  LYAPLOCK_LAUNCH(transpose_kernel, grid, dim3(transpose_tile, transpose_rows), stream, from, to, strictly_lower);
  check_launch(operation, from);
}

}  // namespace lyaplock::cuda
