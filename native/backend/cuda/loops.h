// How kernels share out elements and rows, and sum over them.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cuda/launch.h"
#include "backend/cuda/status.h"
#include "base/matrix_view.h"

namespace lyaplock::cuda {

/// Threads of every block, unless a kernel says otherwise.
inline constexpr unsigned block_size = 256;

/// Views that are dense and of as many rows and columns, as one row each; others as they are.
template <class... T>
bool make_one_row(MatrixView<T>&... matrices) {
  const bool dense = (... && (matrices.stride == matrices.cols));
  if (dense) ((matrices = {matrices.data, 1, matrices.size()}), ...);
  return dense;
}

/// So many blocks for `count` threads' work, of `at_most`.
inline unsigned blocks_for(std::size_t count, std::size_t threads, std::size_t at_most) {
  return static_cast<unsigned>(std::clamp<std::size_t>((count + threads - 1) / threads, 1, at_most));
}

template <class Body, class... T>
__global__ void elements_kernel(std::size_t rows, std::size_t cols, Body body, MatrixView<T>... matrices) {
  for (std::size_t i = blockIdx.y * std::size_t{blockDim.y} + threadIdx.y; i < rows;
       i += std::size_t{gridDim.y} * blockDim.y)
    for (std::size_t j = blockIdx.x * std::size_t{blockDim.x} + threadIdx.x; j < cols;
         j += std::size_t{gridDim.x} * blockDim.x)
      body(matrices(i, j)...);
}

/// body(x(i, j), y(i, j), ...) for every element of matrices of one shape.
template <class Body, class First, class... Rest>
void over_elements(cudaStream_t stream, const char* operation, Body body, MatrixView<First> first,
                   MatrixView<Rest>... rest) {
  if (first.empty()) return;
  make_one_row(first, rest...);
  // A narrow matrix gives a block several rows.
  unsigned width = 1;
  while (width < block_size && width < first.cols) width *= 2;
  const dim3 block(width, block_size / width);
  const dim3 grid(blocks_for(first.cols, block.x, std::size_t{1} << 20), blocks_for(first.rows, block.y, 65535));
  LYAPLOCK_LAUNCH(elements_kernel, grid, block, stream, first.rows, first.cols, body, first, rest...);
  check_launch(operation, first, rest...);
}

// --- inside a kernel: what all threads of a block of `threads` agree on ---------------------------------------------

/// combine(...) over the values of all threads, in a fixed order.
template <unsigned threads = block_size, class T, class Combine>
__device__ __forceinline__ T combined_in_block(T value, const Combine& combine) {
  __shared__ T values[threads];
  values[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) values[threadIdx.x] = combine(values[threadIdx.x], values[threadIdx.x + half]);
    __syncthreads();
  }
  const T result = values[0];
  __syncthreads();  // before the next use of `values`
  return result;
}

struct Sum {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};

struct Smaller {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

/// NaN is passed over.
struct Larger {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return b > a ? b : a;
  }
};

/// Sum of term(j) for j in [0, n), in float64.
template <unsigned threads = block_size, class Term>
__device__ __forceinline__ double sum_in_block(std::size_t n, const Term& term) {
  double sum = 0;
  for (std::size_t j = threadIdx.x; j < n; j += threads) sum += static_cast<double>(term(j));
  return combined_in_block<threads>(sum, Sum());
}

/// The largest of x[0, n), -inf if there is none. NaN elements are passed over.
__device__ __forceinline__ float largest_in_block(std::size_t n, const float* x) {
  float largest = -std::numeric_limits<float>::infinity();
  for (std::size_t j = threadIdx.x; j < n; j += block_size) largest = x[j] > largest ? x[j] : largest;
  return combined_in_block(largest, Larger());
}

template <class Body>
__global__ void rows_kernel(std::size_t rows, Body body) {
  for (std::size_t i = blockIdx.x; i < rows; i += gridDim.x) body(i);
}

/// body(i) for every row, by all threads of a block.
template <class Body>
void over_rows(cudaStream_t stream, std::size_t rows, Body body) {
  if (rows == 0) return;
  const dim3 grid(blocks_for(rows, 1, std::size_t{1} << 30));
  LYAPLOCK_LAUNCH(rows_kernel, grid, dim3(block_size), stream, rows, body);
}

}  // namespace lyaplock::cuda
