#include <cmath>
#include <utility>

#include "backend/cuda/attention_tile.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/matrix.h"

namespace lyaplock::cuda {

namespace {

/// What the backward kernels are given besides the inputs.
struct OutGradients {
  ConstMatrixView<float> log_sum_exp;   // [n, heads]
  ConstMatrixView<float> mean;          // [n, heads]: out_gradient · out, which is sum P G below
  ConstMatrixView<float> out_gradient;  // [n, heads * head_width]
};

/// mean(i, head) = out_gradient · out of that head, for the rows of a segment.
__global__ void out_product_kernel(AttentionShape shape, ConstMatrixView<AttentionSegment> segments,
                                   ConstMatrixView<float> out, ConstMatrixView<float> out_gradient,
                                   MatrixView<float> mean) {
  const AttentionSegment segment = segments(0, blockIdx.x);
  for (std::size_t i = blockIdx.z; i < segment.count; i += gridDim.z) {
    const std::size_t row = segment.begin + i;
    const float* x = out.row(row) + blockIdx.y * shape.head_width;
    const float* gradient = out_gradient.row(row) + blockIdx.y * shape.head_width;
    const double sum = sum_in_block<tile_threads>(shape.head_width, [=](std::size_t j) { return x[j] * gradient[j]; });
    if (threadIdx.x == 0) mean(row, blockIdx.y) = static_cast<float>(sum);
  }
}

struct WeightAndGradient {
  float weight;          // P = exp(score - log_sum_exp), the attention weight of query c for key k
  float score_gradient;  // scale * P (G - mean), of the unscaled score, with G the gradient to P
};

/// Of query c and key k, from the products of their rows; zero where the query does not see the key.
__device__ __forceinline__ WeightAndGradient softmax_backward(const AttentionHead& head, const OutGradients& given,
                                                              float scale, std::size_t c, std::size_t k, float score,
                                                              float weight_gradient) {
  if (c >= head.queries() || k >= head.keys_of(c)) return {0.0F, 0.0F};
  const std::size_t row = head.row(c), column = head.head(c);
  const float weight = expf(scale * score - given.log_sum_exp(row, column));
  return {weight, scale * weight * (weight_gradient - given.mean(row, column))};
}

/// A block: a tile of queries, a key/value head, and some of its columns, as in attention_forward.
template <unsigned pieces>
__global__ void attention_query_gradient_kernel(AttentionInputs in, OutGradients given,
                                                ConstMatrixView<TilePlace> places, MatrixView<float> query_gradient) {
  __shared__ SharedTile left_tile, right_tile, score_gradients;
  const AttentionHead head = head_of(in.shape, places(0, blockIdx.x).segment);
  const std::size_t first = places(0, blockIdx.x).first;
  const std::size_t first_col = std::size_t{blockIdx.z} * pieces * tile_size;
  const auto query = [&](std::size_t c) { return head.query(in.query, c); };
  const auto gradient = [&](std::size_t c) { return head.query(given.out_gradient, c); };
  const auto key = [&](std::size_t k) { return head.key(in.prefix_key, in.key, k); };
  const auto value = [&](std::size_t k) { return head.key(in.prefix_value, in.value, k); };
  const unsigned queries = rows_there(first, head.queries());
  const std::size_t last = first + queries - 1;

  ThreadSums<pieces> sums = {};
  for (std::size_t k = 0; k < head.keys_of(last); k += tile_size) {
    ThreadTile scores, weight_gradients;
    multiply_rows(head.width, query, first, queries, key, k, left_tile, right_tile, scores);
    multiply_rows(head.width, gradient, first, queries, value, k, left_tile, right_tile, weight_gradients);
    LYAPLOCK_UNROLL
    for (unsigned a = 0; a < thread_width; ++a) LYAPLOCK_UNROLL
    for (unsigned b = 0; b < thread_width; ++b) {
      const unsigned r = thread_row() + a, col = thread_col() + threads_across * b;
      score_gradients[r][col] =
          softmax_backward(head, given, in.shape.scale, first + r, k + col, scores[a][b], weight_gradients[a][b])
              .score_gradient;
    }
    __syncthreads();
    add_weighted_rows<pieces>(score_gradients, queries, key, k, rows_there(k, head.keys()), first_col, head.width,
                              right_tile, sums);
  }
  each_sum<pieces>(first_col, head.width, sums, [&](unsigned r, std::size_t col, float sum) {
    if (float* to = head.query(query_gradient, first + r)) to[col] = sum;
  });
}

/// A block: the tile of the segment's own keys places[blockIdx.x], the key/value head blockIdx.y, and of its columns
/// the blockIdx.z-th 32 * pieces. It goes over all queries that see one of the keys, so each sum has one order.
template <unsigned pieces>
__global__ void attention_key_gradient_kernel(AttentionInputs in, OutGradients given, ConstMatrixView<TilePlace> places,
                                              MatrixView<float> key_gradient, MatrixView<float> value_gradient) {
  __shared__ SharedTile left_tile, right_tile, weights, score_gradients;
  const AttentionHead head = head_of(in.shape, places(0, blockIdx.x).segment);
  const std::size_t first = places(0, blockIdx.x).first;            // key, in the segment
  const std::size_t first_key = head.segment.prefix_count + first;  // the same, after the prefix
  const std::size_t first_col = std::size_t{blockIdx.z} * pieces * tile_size;
  const auto query = [&](std::size_t c) { return head.query(in.query, c); };
  const auto gradient = [&](std::size_t c) { return head.query(given.out_gradient, c); };
  const auto key = [&](std::size_t k) { return head.key(in.prefix_key, in.key, k); };
  const auto value = [&](std::size_t k) { return head.key(in.prefix_value, in.value, k); };

  const unsigned keys = rows_there(first, head.segment.count);

  ThreadSums<pieces> key_sums = {}, value_sums = {};
  for (std::size_t c = first * head.group; c < head.queries(); c += tile_size) {
    ThreadTile scores, weight_gradients;  // a row for every key
    multiply_rows(head.width, key, first_key, keys, query, c, left_tile, right_tile, scores);
    multiply_rows(head.width, value, first_key, keys, gradient, c, left_tile, right_tile, weight_gradients);
    LYAPLOCK_UNROLL
    for (unsigned a = 0; a < thread_width; ++a) LYAPLOCK_UNROLL
    for (unsigned b = 0; b < thread_width; ++b) {
      const unsigned r = thread_row() + a, col = thread_col() + threads_across * b;
      const WeightAndGradient of =
          softmax_backward(head, given, in.shape.scale, c + col, first_key + r, scores[a][b], weight_gradients[a][b]);
      weights[r][col] = of.weight;
      score_gradients[r][col] = of.score_gradient;
    }
    __syncthreads();
    const unsigned queries = rows_there(c, head.queries());
    add_weighted_rows<pieces>(weights, keys, gradient, c, queries, first_col, head.width, right_tile, value_sums);
    add_weighted_rows<pieces>(score_gradients, keys, query, c, queries, first_col, head.width, right_tile, key_sums);
  }
  const auto write = [&](ThreadSums<pieces>& sums, const MatrixView<float>& gradients) {
    each_sum<pieces>(first_col, head.width, sums, [&](unsigned r, std::size_t col, float sum) {
      if (first + r < head.segment.count)
        gradients(head.segment.begin + first + r, head.index * head.width + col) = sum;
    });
  };
  write(key_sums, key_gradient);
  write(value_sums, value_gradient);
}

}  // namespace

void CudaBackend::attention_backward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                                     ConstMatrixView<float> query, ConstMatrixView<float> key,
                                     ConstMatrixView<float> value, ConstMatrixView<float> prefix_key,
                                     ConstMatrixView<float> prefix_value, ConstMatrixView<float> out,
                                     ConstMatrixView<float> log_sum_exp, ConstMatrixView<float> out_gradient,
                                     MatrixView<float> query_gradient, MatrixView<float> key_gradient,
                                     MatrixView<float> value_gradient) {
  const std::vector<TilePlace> queries = tile_places(segments, shape.heads / shape.key_value_heads);
  const std::vector<TilePlace> keys = tile_places(segments, 1);
  if (queries.empty() || query.empty()) return;
  const Matrix<AttentionSegment> segments_on_device = lyaplock::upload(*this, segments, 1, segments.size());
  const Matrix<TilePlace> queries_on_device = lyaplock::upload<TilePlace>(*this, queries, 1, queries.size());
  const Matrix<TilePlace> keys_on_device = lyaplock::upload<TilePlace>(*this, keys, 1, keys.size());
  Matrix<float> mean(*this, query.rows, shape.heads);
  const auto launched = [&] { check_launch("attention_backward", query, key, prefix_key); };

  std::size_t longest = 1;
  for (const AttentionSegment& segment : segments) longest = std::max(longest, segment.count);
  const dim3 rows_grid(static_cast<unsigned>(segments.size()), static_cast<unsigned>(shape.heads),
                       blocks_for(longest, 1, 65535));
  LYAPLOCK_LAUNCH(out_product_kernel, rows_grid, dim3(tile_threads), *stream_, shape, segments_on_device.view(), out,
                  out_gradient, mean.view());
  launched();
  const AttentionInputs in{shape, query, key, value, prefix_key, prefix_value};
  const OutGradients given{log_sum_exp, std::as_const(mean).view(), out_gradient};
  if (shape.head_width <= few_pieces * tile_size)
    LYAPLOCK_LAUNCH(attention_query_gradient_kernel<few_pieces>, tile_grid(queries.size(), shape, few_pieces),
                    dim3(tile_threads), *stream_, in, given, queries_on_device.view(), query_gradient);
  else
    LYAPLOCK_LAUNCH(attention_query_gradient_kernel<most_pieces>, tile_grid(queries.size(), shape, most_pieces),
                    dim3(tile_threads), *stream_, in, given, queries_on_device.view(), query_gradient);
  launched();
  // Two sums for every column: half as many columns.
  LYAPLOCK_LAUNCH(attention_key_gradient_kernel<few_pieces>, tile_grid(keys.size(), shape, few_pieces),
                  dim3(tile_threads), *stream_, in, given, keys_on_device.view(), key_gradient, value_gradient);
  launched();
}

}  // namespace lyaplock::cuda
