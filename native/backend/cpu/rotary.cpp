#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/vector_target.h"

namespace lyaplock::cpu {

namespace {

/// One head: the pair (x[i], x[i + pairs]) turns by the angle i, for each of `pairs` angles. `sign` is -1 for backward.
LYAPLOCK_INLINE void rotate_halves(std::size_t pairs, const float* LYAPLOCK_RESTRICT cosine,
                                   const float* LYAPLOCK_RESTRICT sine, float sign, float* LYAPLOCK_RESTRICT first,
                                   float* LYAPLOCK_RESTRICT second) {
  for (std::size_t i = 0; i < pairs; ++i) {
    const float a = first[i];
    const float b = second[i];
    first[i] = a * cosine[i] - b * (sign * sine[i]);
    second[i] = b * cosine[i] + a * (sign * sine[i]);
  }
}

/// The same for pairs (x[2i], x[2i + 1]).
LYAPLOCK_INLINE void rotate_neighbours(std::size_t pairs, const float* LYAPLOCK_RESTRICT cosine,
                                       const float* LYAPLOCK_RESTRICT sine, float sign, float* LYAPLOCK_RESTRICT x) {
  for (std::size_t i = 0; i < pairs; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = a * cosine[i] - b * (sign * sine[i]);
    x[2 * i + 1] = b * cosine[i] + a * (sign * sine[i]);
  }
}

LYAPLOCK_VECTORISED void rotate_row_halves(std::size_t heads, std::size_t head_width, std::size_t pairs,
                                           const float* cosine, const float* sine, float sign, float* x) {
  for (std::size_t head = 0; head < heads; ++head, x += head_width)
    rotate_halves(pairs, cosine, sine, sign, x, x + pairs);
}

LYAPLOCK_VECTORISED void rotate_row_neighbours(std::size_t heads, std::size_t head_width, std::size_t pairs,
                                               const float* cosine, const float* sine, float sign, float* x) {
  for (std::size_t head = 0; head < heads; ++head, x += head_width) rotate_neighbours(pairs, cosine, sine, sign, x);
}

}  // namespace

void CpuBackend::rotary(RotaryDirection direction, RotaryPairing pairing, std::size_t head_width,
                        ConstMatrixView<float> cosine, ConstMatrixView<float> sine,
                        std::span<const std::int32_t> positions, MatrixView<float> x) {
  if (x.empty() || cosine.cols == 0) return;
  const float sign = direction == RotaryDirection::forward ? 1.0F : -1.0F;
  const std::size_t heads = x.cols / head_width;
  const auto rotate_row = pairing == RotaryPairing::halves ? rotate_row_halves : rotate_row_neighbours;
  over_rows(pool_, x.rows, x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto position = static_cast<std::size_t>(positions[i]);
      rotate_row(heads, head_width, cosine.cols, cosine.row(position), sine.row(position), sign, x.row(i));
    }
  });
}

}  // namespace lyaplock::cpu
