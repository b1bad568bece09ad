#include <cmath>

#include "backend/cuda/attention_tile.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/matrix.h"

namespace lyaplock::cuda {

namespace {

/// The softmax of a query so far, in the registers of one thread.
struct RunningSoftmax {
  float largest = -std::numeric_limits<float>::infinity();
  double sum = 0;

  /// scores [count] become exp(score - largest so far); returns what earlier sums must be multiplied by.
  __device__ __forceinline__ float take(float* scores, unsigned count) {
    float next = largest;
    for (unsigned k = 0; k < count; ++k) next = scores[k] > next ? scores[k] : next;
    double part = 0;
    for (unsigned k = 0; k < count; ++k) {
      scores[k] = expf(scores[k] - next);
      part += static_cast<double>(scores[k]);
    }
    const float correction = expf(largest - next);
    sum = sum * static_cast<double>(correction) + part;
    largest = next;
    return correction;
  }
};

/// A block: the tile of queries places[blockIdx.x], the key/value head blockIdx.y, and of its columns the
/// blockIdx.z-th 32 * pieces.
template <unsigned pieces>
__global__ void attention_forward_kernel(AttentionInputs in, ConstMatrixView<TilePlace> places, MatrixView<float> out,
                                         MatrixView<float> log_sum_exp) {
  __shared__ SharedTile query_tile, key_tile, weights;
  __shared__ float correction[tile_size], inverse_sum[tile_size];
  const AttentionHead head = head_of(in.shape, places(0, blockIdx.x).segment);
  const std::size_t first = places(0, blockIdx.x).first;
  const std::size_t first_col = std::size_t{blockIdx.z} * pieces * tile_size;
  const auto query = [&](std::size_t c) { return head.query(in.query, c); };
  const auto key = [&](std::size_t k) { return head.key(in.prefix_key, in.key, k); };
  const auto value = [&](std::size_t k) { return head.key(in.prefix_value, in.value, k); };
  const unsigned queries = rows_there(first, head.queries());
  const std::size_t last = first + queries - 1;

  ThreadSums<pieces> sums = {};
  RunningSoftmax softmax;  // of query first + threadIdx.x, in the first 32 threads
  for (std::size_t k = 0; k < head.keys_of(last); k += tile_size) {
    const unsigned keys = rows_there(k, head.keys());
    ThreadTile scores;
    multiply_rows(head.width, query, first, queries, key, k, query_tile, key_tile, scores);
    LYAPLOCK_UNROLL
    for (unsigned a = 0; a < thread_width; ++a) LYAPLOCK_UNROLL
    for (unsigned b = 0; b < thread_width; ++b) {
      const std::size_t c = first + thread_row() + a, seen = k + thread_col() + threads_across * b;
      // Lanes beyond the last query see what the last one sees: their numbers stay finite, and are not written.
      const bool is_seen = seen < head.keys_of(c < last ? c : last);
      weights[thread_row() + a][thread_col() + threads_across * b] =
          is_seen ? in.shape.scale * scores[a][b] : -std::numeric_limits<float>::infinity();
    }
    __syncthreads();
    if (threadIdx.x < tile_size) correction[threadIdx.x] = softmax.take(weights[threadIdx.x], keys);
    __syncthreads();
    LYAPLOCK_UNROLL
    for (unsigned piece = 0; piece < pieces; ++piece) LYAPLOCK_UNROLL
    for (unsigned a = 0; a < thread_width; ++a) LYAPLOCK_UNROLL
    for (unsigned b = 0; b < thread_width; ++b) sums[piece][a][b] *= correction[thread_row() + a];
    add_weighted_rows<pieces>(weights, queries, value, k, keys, first_col, head.width, key_tile, sums);
  }

  if (threadIdx.x < tile_size) {
    inverse_sum[threadIdx.x] = static_cast<float>(1.0 / softmax.sum);
    const std::size_t c = first + threadIdx.x;
    if (blockIdx.z == 0 && c <= last)
      log_sum_exp(head.row(c), head.head(c)) =
          static_cast<float>(static_cast<double>(softmax.largest) + log(softmax.sum));
  }
  __syncthreads();
  each_sum<pieces>(first_col, head.width, sums, [&](unsigned r, std::size_t col, float sum) {
    if (float* to = head.query(out, first + r)) to[col] = sum * inverse_sum[r];
  });
}

}  // namespace

void CudaBackend::attention_forward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                                    ConstMatrixView<float> query, ConstMatrixView<float> key,
                                    ConstMatrixView<float> value, ConstMatrixView<float> prefix_key,
                                    ConstMatrixView<float> prefix_value, MatrixView<float> out,
                                    MatrixView<float> log_sum_exp) {
  const std::vector<TilePlace> places = tile_places(segments, shape.heads / shape.key_value_heads);
  if (places.empty() || query.empty()) return;
  const Matrix<TilePlace> on_device = lyaplock::upload<TilePlace>(*this, places, 1, places.size());
  const AttentionInputs in{shape, query, key, value, prefix_key, prefix_value};
  if (shape.head_width <= few_pieces * tile_size)
    LYAPLOCK_LAUNCH(attention_forward_kernel<few_pieces>, tile_grid(places.size(), shape, few_pieces),
                    dim3(tile_threads), *stream_, in, on_device.view(), out, log_sum_exp);
  else
    LYAPLOCK_LAUNCH(attention_forward_kernel<most_pieces>, tile_grid(places.size(), shape, most_pieces),
                    dim3(tile_threads), *stream_, in, on_device.view(), out, log_sum_exp);
  check_launch("attention_forward", query, key, prefix_key);
}

}  // namespace lyaplock::cuda
