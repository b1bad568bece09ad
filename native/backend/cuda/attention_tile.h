// Attention in tiles of 32 queries and 32 keys.
//
// The queries of one segment that share a key/value head (rows x heads of its group) are numbered row by row and taken
// 32 at a time, by a block of 64 threads. The scores of a tile live in registers and pass to the other threads through
// shared memory; of the rest of the rows 32 columns are in shared memory at a time, so that heads may have any width
// and sequences any length.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "backend/cuda/loops.h"

namespace lyaplock::cuda {

inline constexpr unsigned tile_size = 32;     // queries, keys, and columns in shared memory
inline constexpr unsigned tile_threads = 64;  // 8 by 8, of which each has 4 by 4 elements of a tile
inline constexpr unsigned thread_width = 4;
inline constexpr unsigned threads_across = tile_size / thread_width;

/// 32 by 32, with rows that begin in different banks of shared memory.
using SharedTile = float[tile_size][tile_size + 1];
/// A thread's part of a tile: rows 4 * thread_row() + a, columns thread_col() + 8 * b.
using ThreadTile = float[thread_width][thread_width];

__device__ __forceinline__ unsigned thread_row() { return threadIdx.x / threads_across * thread_width; }
__device__ __forceinline__ unsigned thread_col() { return threadIdx.x % threads_across; }

/// A tile of a segment: its first query, or key, counted from the segment's begin.
struct TilePlace {
  AttentionSegment segment;
  std::size_t first;
};

/// The tiles of each segment, if it has per_row * count items.
inline std::vector<TilePlace> tile_places(std::span<const AttentionSegment> segments, std::size_t per_row) {
  std::vector<TilePlace> places;
  for (const AttentionSegment& segment : segments)
    for (std::size_t first = 0; first < segment.count * per_row; first += tile_size) places.push_back({segment, first});
  return places;
}

/// What the kernels are given, all in device memory.
struct AttentionInputs {
  AttentionShape shape;
  ConstMatrixView<float> query, key, value, prefix_key, prefix_value;
};

/// The key/value head of a block, in its segment.
struct AttentionHead {
  AttentionSegment segment;
  std::size_t index;  // of the key/value head
  std::size_t width;
  unsigned group;  // heads that share it

  /// Query number c of the segment is row c / group, head c % group of the key/value head. Of 32 bits, as divisions of
  /// 64 take a GPU several times as long.
  [[nodiscard]] __device__ __forceinline__ std::size_t queries() const { return segment.count * group; }
  [[nodiscard]] __device__ __forceinline__ std::size_t row(std::size_t c) const {
    return segment.begin + static_cast<unsigned>(c) / group;
  }
  [[nodiscard]] __device__ __forceinline__ std::size_t head(std::size_t c) const {
    return index * group + static_cast<unsigned>(c) % group;
  }
  /// Keys there are, and those that query c sees: the prefix, and the segment's up to its own.
  [[nodiscard]] __device__ __forceinline__ std::size_t keys() const { return segment.prefix_count + segment.count; }
  [[nodiscard]] __device__ __forceinline__ std::size_t keys_of(std::size_t c) const {
    return segment.prefix_count + static_cast<unsigned>(c) / group + 1;
  }
  /// That query's head in a matrix [n, heads * head_width]; null beyond the last.
  template <class T>
  [[nodiscard]] __device__ __forceinline__ T* query(const MatrixView<T>& matrix, std::size_t c) const {
    return c < queries() ? matrix.row(row(c)) + head(c) * width : nullptr;
  }
  /// Key number k, those of the prefix first; null beyond the last.
  [[nodiscard]] __device__ __forceinline__ const float* key(const ConstMatrixView<float>& prefix,
                                                            const ConstMatrixView<float>& own, std::size_t k) const {
    if (k < segment.prefix_count) return prefix.row(segment.prefix_begin + k) + index * width;
    if (k < segment.prefix_count + segment.count)
      return own.row(segment.begin + k - segment.prefix_count) + index * width;
    return nullptr;
  }
};

__device__ __forceinline__ AttentionHead head_of(const AttentionShape& shape, const AttentionSegment& segment) {
  return {segment, blockIdx.y, shape.head_width, static_cast<unsigned>(shape.heads / shape.key_value_heads)};
}

/// How many of a tile's 32 rows there are, of `count` from `first` on. Where segments are short, most are not.
__device__ __forceinline__ unsigned rows_there(std::size_t first, std::size_t count) {
  return count <= first ? 0 : static_cast<unsigned>(count - first < tile_size ? count - first : tile_size);
}

/// to[r][c] = rows(first_row + r)[first_col + c], zero where there is no row or no column.
template <class Rows>
__device__ __forceinline__ void load_tile(const Rows& rows, std::size_t first_row, std::size_t first_col,
                                          std::size_t width, SharedTile& to) {
  constexpr unsigned together = tile_threads / tile_size;  // rows
  const unsigned col = threadIdx.x % tile_size, first = threadIdx.x / tile_size;
  // All of them are under way before the first is waited for.
  float loaded[tile_size / together];
  LYAPLOCK_UNROLL
  for (unsigned i = 0; i < tile_size / together; ++i) {
    const float* row = rows(first_row + first + together * i);
    loaded[i] = row != nullptr && first_col + col < width ? row[first_col + col] : 0.0F;
  }
  LYAPLOCK_UNROLL
  for (unsigned i = 0; i < tile_size / together; ++i) to[first + together * i][col] = loaded[i];
}

/// product [32, 32] = left rows [32, width] times right rows [32, width]^T; zero from row `left_rows` of the tile on.
/// The buffers are free afterwards.
template <class Left, class Right>
__device__ __forceinline__ void multiply_rows(std::size_t width, const Left& left, std::size_t first_left,
                                              unsigned left_rows, const Right& right, std::size_t first_right,
                                              SharedTile& left_tile, SharedTile& right_tile, ThreadTile& product) {
  for (auto& row : product)
    for (float& element : row) element = 0.0F;
  for (std::size_t first_col = 0; first_col < width; first_col += tile_size) {
    load_tile(left, first_left, first_col, width, left_tile);
    load_tile(right, first_right, first_col, width, right_tile);
    __syncthreads();
    if (thread_row() < left_rows)
      for (unsigned c = 0; c < tile_size; ++c) LYAPLOCK_UNROLL
    for (unsigned a = 0; a < thread_width; ++a) LYAPLOCK_UNROLL
    for (unsigned b = 0; b < thread_width; ++b)
      product[a][b] += left_tile[thread_row() + a][c] * right_tile[thread_col() + threads_across * b][c];
    __syncthreads();
  }
}

/// A thread's part of sums [32, 32 * pieces]: of each piece, what it has of a tile.
template <unsigned pieces>
using ThreadSums = ThreadTile[pieces];

/// sums += weights [32, 32] times the columns [first_col, first_col + 32 * pieces) of rows [32, width], of which the
/// first `rows_used` are looked at, and of the sums those of the first `sums_used` rows. The buffer is free afterwards.
template <unsigned pieces, class Rows>
__device__ __forceinline__ void add_weighted_rows(const SharedTile& weights, unsigned sums_used, const Rows& rows,
                                                  std::size_t first_row, unsigned rows_used, std::size_t first_col,
                                                  std::size_t width, SharedTile& buffer, ThreadSums<pieces>& sums) {
  LYAPLOCK_UNROLL
  for (unsigned piece = 0; piece < pieces; ++piece) {
    load_tile(rows, first_row, first_col + piece * tile_size, width, buffer);
    __syncthreads();
    if (thread_row() < sums_used)
      for (unsigned r = 0; r < rows_used; ++r) LYAPLOCK_UNROLL
    for (unsigned a = 0; a < thread_width; ++a) LYAPLOCK_UNROLL
    for (unsigned b = 0; b < thread_width; ++b)
      sums[piece][a][b] += weights[thread_row() + a][r] * buffer[r][thread_col() + threads_across * b];
    __syncthreads();
  }
}

/// use(row of the tile, column of the head, the thread's sum) for every element that the thread has and the head too.
template <unsigned pieces, class Use>
__device__ __forceinline__ void each_sum(std::size_t first_col, std::size_t width, ThreadSums<pieces>& sums,
                                         const Use& use) {
  LYAPLOCK_UNROLL
  for (unsigned piece = 0; piece < pieces; ++piece) LYAPLOCK_UNROLL
  for (unsigned a = 0; a < thread_width; ++a) LYAPLOCK_UNROLL
  for (unsigned b = 0; b < thread_width; ++b) {
    const std::size_t col = first_col + piece * tile_size + thread_col() + threads_across * b;
    if (col < width) use(thread_row() + a, col, sums[piece][a][b]);
  }
}

/// Columns of a head are shared out over blocks if they are more than the registers of one hold.
inline constexpr unsigned few_pieces = 2;
inline constexpr unsigned most_pieces = 4;

inline dim3 tile_grid(std::size_t places, const AttentionShape& shape, unsigned pieces) {
  return {static_cast<unsigned>(places), static_cast<unsigned>(shape.key_value_heads),
          blocks_for(shape.head_width, std::size_t{pieces} * tile_size, 65535)};
}

}  // namespace lyaplock::cuda
