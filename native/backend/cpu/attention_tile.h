// Attention in tiles of sixteen queries.
//
// The queries of one segment that share a key/value head (rows x heads of its group) are taken sixteen at a time, and
// everything about a tile is stored with the query as the fast index: scores [keys, 16]. Then sixteen softmaxes run
// side by side without a sum across a register, and keys and values are read where they lie, whatever the length.
// Memory is 64 bytes per key and thread, never n².
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/small_product.h"

namespace lyaplock::cpu {

inline constexpr std::size_t tile_width = 16;

/// One number for each query of a tile, in one cache line.
struct alignas(64) TileRow {
  float of[tile_width];
};

/// Which queries a tile holds. Query number c of a segment is row c / group, head c % group of the key/value head.
struct AttentionTile {
  AttentionTile(const AttentionShape& shape, const AttentionSegment& segment, std::size_t key_value_head,
                std::size_t first)
      : segment(segment),
        head_width(shape.head_width),
        group(shape.heads / shape.key_value_heads),
        key_value_head(key_value_head),
        first(first),
        count(std::min(tile_width, segment.count * group - first)),
        first_row(first / group),
        own_keys((first + count - 1) / group + 1) {}

  const AttentionSegment& segment;
  std::size_t head_width;
  std::size_t group;
  std::size_t key_value_head;
  std::size_t first;      // number of the first query
  std::size_t count;      // queries in the tile, 1 ... 16
  std::size_t first_row;  // in the segment, of the first query
  std::size_t own_keys;   // keys of the segment itself that the last query sees

  [[nodiscard]] std::size_t keys() const { return segment.prefix_count + own_keys; }
  /// Row in the segment of query `lane` of the tile.
  [[nodiscard]] std::size_t row(std::size_t lane) const { return (first + lane) / group; }
  [[nodiscard]] std::size_t head(std::size_t lane) const { return key_value_head * group + (first + lane) % group; }
  /// That query's head in a matrix [n, heads * head_width].
  template <class T>
  [[nodiscard]] T* query(const MatrixView<T>& matrix, std::size_t lane) const {
    return matrix.row(segment.begin + row(lane)) + head(lane) * head_width;
  }

  /// The tile's key/value head in the rows of the prefix, or of the segment itself, [rows, head_width].
  template <class T>
  [[nodiscard]] MatrixView<T> prefix_rows(const MatrixView<T>& matrix) const {
    if (segment.prefix_count == 0) return {};
    return rows_of(matrix, segment.prefix_begin, segment.prefix_count);
  }
  template <class T>
  [[nodiscard]] MatrixView<T> own_rows(const MatrixView<T>& matrix) const {
    return rows_of(matrix, segment.begin, own_keys);
  }

 private:
  template <class T>
  [[nodiscard]] MatrixView<T> rows_of(const MatrixView<T>& matrix, std::size_t begin, std::size_t rows) const {
    return matrix.row_range(begin, rows).column_range(key_value_head * head_width, head_width);
  }
};

/// How many tiles a segment's queries of one key/value head fill.
inline std::size_t tiles_of(const AttentionShape& shape, const AttentionSegment& segment) {
  return (segment.count * (shape.heads / shape.key_value_heads) + tile_width - 1) / tile_width;
}

/// The most keys that a query of these segments sees.
inline std::size_t longest(std::span<const AttentionSegment> segments) {
  std::size_t keys = 0;
  for (const AttentionSegment& segment : segments) keys = std::max(keys, segment.prefix_count + segment.count);
  return keys;
}

/// Tasks that are worth waking a thread for, if each is a pass over so many keys.
inline std::size_t attention_grain(const AttentionShape& shape, std::size_t keys) {
  return std::max<std::size_t>(1, 16384 / (shape.head_width * std::max<std::size_t>(1, keys)));
}

/// out [head_width, 16] = scale * the tile's queries in `matrix`, transposed; lanes without a query are zero.
void load_transposed(const AttentionTile& tile, ConstMatrixView<float> matrix, float scale, TileRow* out);
/// out [16, head_width], dense = the tile's queries in `matrix`; lanes without a query are zero.
void load_straight(const AttentionTile& tile, ConstMatrixView<float> matrix, float* out);

/// out [keys, 16] = rows [keys, head_width] (prefix, then own) times queries [head_width, 16].
void multiply_keys(const AttentionTile& tile, ConstMatrixView<float> prefix, ConstMatrixView<float> own,
                   const TileRow* queries, TileRow* out);
/// out [16, head_width], dense = weights [keys, 16]^T times rows [keys, head_width] (prefix, then own).
void combine_rows(const AttentionTile& tile, const TileRow* weights, ConstMatrixView<float> prefix,
                  ConstMatrixView<float> own, float* out);

/// Sets what a query may not see, the rows after its own, to -inf.
void mask_later_keys(const AttentionTile& tile, TileRow* scores);

}  // namespace lyaplock::cpu
