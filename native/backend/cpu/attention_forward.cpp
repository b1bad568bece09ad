#include <cmath>
#include <limits>

#include "backend/cpu/attention_tile.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/vector_math.h"

namespace lyaplock::cpu {

namespace {

struct TileSoftmax {
  float largest[tile_width];
  double sum[tile_width];
};

/// scores [keys, 16] becomes exp(score - largest of its column); returns the largest and the sum of each column.
LYAPLOCK_VECTORISED void exponentiate(std::size_t keys, TileRow* scores, TileSoftmax& softmax) {
  float largest[tile_width];
  double sum[tile_width] = {};
  for (float& x : largest) x = -std::numeric_limits<float>::infinity();
  for (std::size_t key = 0; key < keys; ++key)
    for (std::size_t lane = 0; lane < tile_width; ++lane) {
      const float score = scores[key].of[lane];
      largest[lane] = score > largest[lane] ? score : largest[lane];
    }
  for (std::size_t key = 0; key < keys; ++key)
    for (std::size_t lane = 0; lane < tile_width; ++lane) {
      const float weight = exponential(scores[key].of[lane] - largest[lane]);
      scores[key].of[lane] = weight;
      sum[lane] += static_cast<double>(weight);
    }
  for (std::size_t lane = 0; lane < tile_width; ++lane) {
    softmax.largest[lane] = largest[lane];
    softmax.sum[lane] = sum[lane];
  }
}

/// Memory of one thread.
struct Scratch {
  Scratch(std::size_t head_width, std::size_t keys)
      : queries(head_width), scores(keys), combined(tile_width * head_width) {}
  std::vector<TileRow> queries;
  std::vector<TileRow> scores;
  std::vector<float> combined;
};

/// A tile of a segment, of whichever key/value head.
struct TilePlace {
  std::size_t segment;
  std::size_t first;
};

std::vector<TilePlace> tile_places(const AttentionShape& shape, std::span<const AttentionSegment> segments) {
  std::vector<TilePlace> places;
  for (std::size_t segment = 0; segment < segments.size(); ++segment)
    for (std::size_t tile = 0; tile < tiles_of(shape, segments[segment]); ++tile)
      places.push_back({segment, tile * tile_width});
  return places;
}

}  // namespace

void CpuBackend::attention_forward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                                   ConstMatrixView<float> query, ConstMatrixView<float> key,
                                   ConstMatrixView<float> value, ConstMatrixView<float> prefix_key,
                                   ConstMatrixView<float> prefix_value, MatrixView<float> out,
                                   MatrixView<float> log_sum_exp) {
  const std::size_t keys = longest(segments);
  const std::vector<TilePlace> places = tile_places(shape, segments);
  // The heads of a short and a long segment are spread over the threads alike, since the head is the slow index.
  pool_.parallel_for(
      shape.key_value_heads * places.size(), attention_grain(shape, keys), [&](std::size_t begin, std::size_t end) {
        Scratch scratch(shape.head_width, keys);
        TileSoftmax softmax;
        for (std::size_t task = begin; task < end; ++task) {
          const TilePlace& place = places[task % places.size()];
          const AttentionTile tile(shape, segments[place.segment], task / places.size(), place.first);
          load_transposed(tile, query, shape.scale, scratch.queries.data());
          multiply_keys(tile, tile.prefix_rows(prefix_key), tile.own_rows(key), scratch.queries.data(),
                        scratch.scores.data());
          mask_later_keys(tile, scratch.scores.data());
          exponentiate(tile.keys(), scratch.scores.data(), softmax);
          combine_rows(tile, scratch.scores.data(), tile.prefix_rows(prefix_value), tile.own_rows(value),
                       scratch.combined.data());
          for (std::size_t lane = 0; lane < tile.count; ++lane) {
            const float* combined = scratch.combined.data() + lane * shape.head_width;
            const float inverse = static_cast<float>(1.0 / softmax.sum[lane]);
            float* to = tile.query(out, lane);
            for (std::size_t i = 0; i < shape.head_width; ++i) to[i] = combined[i] * inverse;
            log_sum_exp(tile.segment.begin + tile.row(lane), tile.head(lane)) =
                static_cast<float>(static_cast<double>(softmax.largest[lane]) + std::log(softmax.sum[lane]));
          }
        }
      });
}

}  // namespace lyaplock::cpu
