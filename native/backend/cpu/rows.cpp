#include <cmath>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/sums.h"
#include "backend/cpu/widen.h"

namespace lyaplock::cpu {

namespace {

LYAPLOCK_VECTORISED void add_multiple(std::size_t n, float alpha, const float* LYAPLOCK_RESTRICT x,
                                      float* LYAPLOCK_RESTRICT y) {
  for (std::size_t i = 0; i < n; ++i) y[i] += alpha * x[i];
}

LYAPLOCK_VECTORISED double sum_of_squares(std::size_t n, const float* x) {
  return sum_over(n, [x](std::size_t i) { return x[i] * x[i]; });
}

std::size_t at(std::span<const std::int32_t> indices, std::size_t i) { return static_cast<std::size_t>(indices[i]); }

}  // namespace

void CpuBackend::gather_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                             MatrixView<float> out) {
  over_rows(pool_, out.rows, out.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      std::memcpy(out.row(i), source.row(at(indices, i)), out.cols * sizeof(float));
  });
}

void CpuBackend::gather_rows(ConstMatrixView<Bfloat16> source, std::span<const std::int32_t> indices,
                             MatrixView<float> out) {
  over_rows(pool_, out.rows, out.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) to_float32(out.cols, source.row(at(indices, i)), out.row(i));
  });
}

void CpuBackend::scatter_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                              MatrixView<float> destination) {
  over_rows(pool_, source.rows, source.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      std::memcpy(destination.row(at(indices, i)), source.row(i), source.cols * sizeof(float));
  });
}

void CpuBackend::scatter_add_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                                  std::span<const float> weights, MatrixView<float> destination) {
  if (source.empty()) return;
  // Threads share out the columns, not the rows: indices may repeat, and their order is the order of the sums.
  const std::size_t grain = std::max<std::size_t>(64, cheap_grain / source.rows);
  pool_.parallel_for(source.cols, grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = 0; i < source.rows; ++i)
      add_multiple(end - begin, weights[i], source.row(i) + begin, destination.row(at(indices, i)) + begin);
  });
}

void CpuBackend::row_norms(ConstMatrixView<float> x, MatrixView<float> norms) {
  if (x.cols == 0) return fill(0.0F, norms);
  over_rows(pool_, x.rows, x.cols, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      norms(0, i) = static_cast<float>(std::sqrt(sum_of_squares(x.cols, x.row(i))));
  });
}

}  // namespace lyaplock::cpu
