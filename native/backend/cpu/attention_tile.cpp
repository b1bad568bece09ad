#include "backend/cpu/attention_tile.h"

#include <cstring>
#include <limits>

namespace lyaplock::cpu {

void load_transposed(const AttentionTile& tile, ConstMatrixView<float> matrix, float scale, TileRow* out) {
  if (tile.count < tile_width) std::memset(out, 0, tile.head_width * sizeof(TileRow));
  for (std::size_t lane = 0; lane < tile.count; ++lane) {
    const float* query = tile.query(matrix, lane);
    for (std::size_t i = 0; i < tile.head_width; ++i) out[i].of[lane] = scale * query[i];
  }
}

void load_straight(const AttentionTile& tile, ConstMatrixView<float> matrix, float* out) {
  for (std::size_t lane = 0; lane < tile.count; ++lane)
    std::memcpy(out + lane * tile.head_width, tile.query(matrix, lane), tile.head_width * sizeof(float));
  std::memset(out + tile.count * tile.head_width, 0, (tile_width - tile.count) * tile.head_width * sizeof(float));
}

void multiply_keys(const AttentionTile& tile, ConstMatrixView<float> prefix, ConstMatrixView<float> own,
                   const TileRow* queries, TileRow* out) {
  std::memset(out, 0, tile.keys() * sizeof(TileRow));
  const auto multiply = [&](ConstMatrixView<float> rows, TileRow* to) {
    add_small_product({.m = rows.rows,
                       .n = tile_width,
                       .k = tile.head_width,
                       .a = rows.data,
                       .a_row_step = rows.stride,
                       .a_col_step = 1,
                       .b = queries->of,
                       .b_stride = tile_width,
                       .c = to->of,
                       .c_stride = tile_width});
  };
  multiply(prefix, out);
  multiply(own, out + prefix.rows);
}

void combine_rows(const AttentionTile& tile, const TileRow* weights, ConstMatrixView<float> prefix,
                  ConstMatrixView<float> own, float* out) {
  std::memset(out, 0, tile_width * tile.head_width * sizeof(float));
  const auto combine = [&](const TileRow* of_rows, ConstMatrixView<float> rows) {
    add_small_product({.m = tile.count,
                       .n = tile.head_width,
                       .k = rows.rows,
                       .a = of_rows->of,
                       .a_row_step = 1,
                       .a_col_step = tile_width,
                       .b = rows.data,
                       .b_stride = rows.stride,
                       .c = out,
                       .c_stride = tile.head_width});
  };
  combine(weights, prefix);
  combine(weights + prefix.rows, own);
}

void mask_later_keys(const AttentionTile& tile, TileRow* scores) {
  TileRow* own = scores + tile.segment.prefix_count;
  for (std::size_t key = tile.first_row + 1; key < tile.own_keys; ++key)
    for (std::size_t lane = 0; lane < tile.count; ++lane)
      if (tile.row(lane) < key) own[key].of[lane] = -std::numeric_limits<float>::infinity();
}

}  // namespace lyaplock::cpu
