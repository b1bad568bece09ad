#include <cstring>
#include <limits>

#include "backend/cpu/attention_tile.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/sums.h"
#include "backend/cpu/vector_math.h"

namespace lyaplock::cpu {

namespace {

/// With P = exp(score - log_sum_exp), the attention weights, and G the gradients to them:
/// scores becomes P, weight_gradients becomes scale * P (G - mean), the gradient of the unscaled scores, where `mean`
/// is sum P G = out_gradient · out for each query.
LYAPLOCK_VECTORISED void softmax_backward(std::size_t keys, const TileRow& log_sum_exp, const TileRow& mean,
                                          float scale, TileRow* LYAPLOCK_RESTRICT scores,
                                          TileRow* LYAPLOCK_RESTRICT weight_gradients) {
  const TileRow normaliser = log_sum_exp;
  const TileRow expected = mean;
  for (std::size_t key = 0; key < keys; ++key)
    for (std::size_t lane = 0; lane < tile_width; ++lane) {
      const float weight = exponential(scores[key].of[lane] - normaliser.of[lane]);
      scores[key].of[lane] = weight;
      weight_gradients[key].of[lane] = scale * weight * (weight_gradients[key].of[lane] - expected.of[lane]);
    }
}

/// rows [own keys, head_width] += weights [own keys, 16] times queries [16, head_width].
void add_to_own_rows(const AttentionTile& tile, const TileRow* weights, const float* queries, MatrixView<float> rows) {
  const TileRow* own = weights + tile.segment.prefix_count;
  add_small_product({.m = tile.own_keys,
                     .n = tile.head_width,
                     .k = tile.count,
                     .a = own->of,
                     .a_row_step = tile_width,
                     .a_col_step = 1,
                     .b = queries,
                     .b_stride = tile.head_width,
                     .c = rows.data,
                     .c_stride = rows.stride});
}

void set_zero(MatrixView<float> rows) {
  for (std::size_t i = 0; i < rows.rows; ++i) std::memset(rows.row(i), 0, rows.cols * sizeof(float));
}

/// Memory of one thread.
struct Scratch {
  Scratch(std::size_t head_width, std::size_t keys)
      : transposed(head_width),
        scores(keys),
        score_gradients(keys),
        straight(tile_width * head_width),
        query_gradients(tile_width * head_width) {}
  std::vector<TileRow> transposed;
  std::vector<TileRow> scores;
  std::vector<TileRow> score_gradients;
  std::vector<float> straight;
  std::vector<float> query_gradients;
};

LYAPLOCK_VECTORISED float inner_product(std::size_t n, const float* x, const float* y) {
  return static_cast<float>(sum_over(n, [=](std::size_t i) { return x[i] * y[i]; }));
}

}  // namespace

void CpuBackend::attention_backward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                                    ConstMatrixView<float> query, ConstMatrixView<float> key,
                                    ConstMatrixView<float> value, ConstMatrixView<float> prefix_key,
                                    ConstMatrixView<float> prefix_value, ConstMatrixView<float> out,
                                    ConstMatrixView<float> log_sum_exp, ConstMatrixView<float> out_gradient,
                                    MatrixView<float> query_gradient, MatrixView<float> key_gradient,
                                    MatrixView<float> value_gradient) {
  const std::size_t width = shape.head_width;
  const std::size_t keys = longest(segments);

  const auto backward_tile = [&](const AttentionTile& tile, Scratch& scratch) {
    TileRow normaliser;
    TileRow mean = {};
    // An infinite normaliser makes the weights of lanes without a query zero.
    std::fill_n(normaliser.of, tile_width, std::numeric_limits<float>::infinity());
    for (std::size_t lane = 0; lane < tile.count; ++lane) {
      normaliser.of[lane] = log_sum_exp(tile.segment.begin + tile.row(lane), tile.head(lane));
      mean.of[lane] = inner_product(width, tile.query(out_gradient, lane), tile.query(out, lane));
    }
    TileRow* scores = scratch.scores.data();
    TileRow* score_gradients = scratch.score_gradients.data();
    load_transposed(tile, query, shape.scale, scratch.transposed.data());
    multiply_keys(tile, tile.prefix_rows(prefix_key), tile.own_rows(key), scratch.transposed.data(), scores);
    mask_later_keys(tile, scores);
    load_transposed(tile, out_gradient, 1.0F, scratch.transposed.data());
    multiply_keys(tile, tile.prefix_rows(prefix_value), tile.own_rows(value), scratch.transposed.data(),
                  score_gradients);
    softmax_backward(tile.keys(), normaliser, mean, shape.scale, scores, score_gradients);

    load_straight(tile, out_gradient, scratch.straight.data());
    add_to_own_rows(tile, scores, scratch.straight.data(), tile.own_rows(value_gradient));
    load_straight(tile, query, scratch.straight.data());
    add_to_own_rows(tile, score_gradients, scratch.straight.data(), tile.own_rows(key_gradient));
    combine_rows(tile, score_gradients, tile.prefix_rows(prefix_key), tile.own_rows(key),
                 scratch.query_gradients.data());
    for (std::size_t lane = 0; lane < tile.count; ++lane)
      std::memcpy(tile.query(query_gradient, lane), scratch.query_gradients.data() + lane * width,
                  width * sizeof(float));
  };

  // One task is all queries of a segment and a key/value head: their sums into the keys' gradients have one order.
  pool_.parallel_for(shape.key_value_heads * segments.size(), attention_grain(shape, keys),
                     [&](std::size_t begin, std::size_t end) {
                       Scratch scratch(width, keys);
                       for (std::size_t task = begin; task < end; ++task) {
                         const AttentionSegment& segment = segments[task % segments.size()];
                         const std::size_t head = task / segments.size();
                         const std::size_t tiles = tiles_of(shape, segment);
                         if (tiles == 0) continue;
                         const AttentionTile last(shape, segment, head, (tiles - 1) * tile_width);
                         set_zero(last.own_rows(key_gradient));
                         set_zero(last.own_rows(value_gradient));
                         for (std::size_t i = 0; i < tiles; ++i)
                           backward_tile(AttentionTile(shape, segment, head, i * tile_width), scratch);
                       }
                     });
}

}  // namespace lyaplock::cpu
