#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"
#include "backend/matrix.h"

namespace lyaplock::cuda {

namespace {

template <class From>
__device__ __forceinline__ float as_float(From x) {
  return x;
}
template <>
__device__ __forceinline__ float as_float(Bfloat16 x) {
  return bfloat16_to_float32(x.bits);
}

/// out(i, :) = source(indices[i], :), for indices in device memory.
template <class From>
void gather(cudaStream_t stream, ConstMatrixView<From> source, ConstMatrixView<std::int32_t> indices,
            MatrixView<float> out) {
  over_rows(stream, out.rows, [=] __device__(std::size_t i) {
    const From* from = source.row(static_cast<std::size_t>(indices(0, i)));
    float* to = out.row(i);
    for (std::size_t j = threadIdx.x; j < out.cols; j += block_size) to[j] = as_float(from[j]);
  });
  check_launch("gather_rows", source, out);
}

}  // namespace

void CudaBackend::gather_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                              MatrixView<float> out) {
  if (out.empty()) return;
  gather(*stream_, source, lyaplock::upload(*this, indices, 1, indices.size()), out);
}

void CudaBackend::gather_rows(ConstMatrixView<Bfloat16> source, std::span<const std::int32_t> indices,
                              MatrixView<float> out) {
  if (out.empty()) return;
  gather(*stream_, source, lyaplock::upload(*this, indices, 1, indices.size()), out);
}

void CudaBackend::scatter_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                               MatrixView<float> destination) {
  if (source.empty()) return;
  const Matrix<std::int32_t> on_device = lyaplock::upload(*this, indices, 1, indices.size());
  over_rows(*stream_, source.rows, [=, at = on_device.view()] __device__(std::size_t i) {
    const float* from = source.row(i);
    float* to = destination.row(static_cast<std::size_t>(at(0, i)));
    for (std::size_t j = threadIdx.x; j < source.cols; j += block_size) to[j] = from[j];
  });
  check_launch("scatter_rows", source, destination);
}

void CudaBackend::scatter_add_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                                   std::span<const float> weights, MatrixView<float> destination) {
  if (source.empty()) return;
  const Matrix<std::int32_t> on_device = lyaplock::upload(*this, indices, 1, indices.size());
  const Matrix<float> weights_on_device = lyaplock::upload(*this, weights, 1, weights.size());
  // A thread has a column, not a row: indices may repeat, and their order is the order of the sums.
  over_rows(*stream_, (source.cols + block_size - 1) / block_size,
            [=, at = on_device.view(), weight = weights_on_device.view()] __device__(std::size_t block) {
              const std::size_t j = block * block_size + threadIdx.x;
              if (j >= source.cols) return;
              for (std::size_t i = 0; i < source.rows; ++i)
                destination(static_cast<std::size_t>(at(0, i)), j) += weight(0, i) * source(i, j);
            });
  check_launch("scatter_add_rows", source, destination);
}

void CudaBackend::row_norms(ConstMatrixView<float> x, MatrixView<float> norms) {
  over_rows(*stream_, x.rows, [=] __device__(std::size_t i) {
    const float* from = x.row(i);
    const double sum = sum_in_block(x.cols, [=](std::size_t j) { return from[j] * from[j]; });
    if (threadIdx.x == 0) norms(0, i) = static_cast<float>(sqrt(sum));
  });
  check_launch("row_norms", x);
}

}  // namespace lyaplock::cuda
