#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"
#include "backend/matrix.h"

namespace lyaplock::cuda {

namespace {

/// Partial sums of a whole matrix: enough to fill any GPU, few enough to be added up on the host.
constexpr std::size_t most_partials = 1024;
/// Elements that are worth a block.
constexpr std::size_t elements_of_block = 8 * block_size;

template <class Term, class... T>
__global__ void sums_kernel(std::size_t rows, std::size_t cols, double* partials, Term term,
                            MatrixView<T>... matrices) {
  double sum = 0;
  for (std::size_t i = blockIdx.y; i < rows; i += gridDim.y)
    for (std::size_t j = blockIdx.x * std::size_t{block_size} + threadIdx.x; j < cols;
         j += std::size_t{gridDim.x} * block_size)
      sum += term(i, j, matrices(i, j)...);
  sum = combined_in_block(sum, Sum());
  if (threadIdx.x == 0) partials[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

/// Sum of term(i, j, x(i, j), ...) over the elements of matrices of one shape. Its order depends on the shape alone.
template <class Term, class First, class... Rest>
double sum_over(CudaBackend& backend, cudaStream_t stream, const char* operation, const Term& term,
                MatrixView<First> first, MatrixView<Rest>... rest) {
  if (first.empty()) return 0;
  const unsigned across = blocks_for(first.cols, elements_of_block, most_partials);
  const dim3 grid(across, blocks_for(first.rows, 1, most_partials / across));
  Matrix<double> partials(backend, 1, std::size_t{grid.x} * grid.y);
  LYAPLOCK_LAUNCH(sums_kernel, grid, dim3(block_size), stream, first.rows, first.cols, partials.view().data, term,
                  first, rest...);
  check_launch(operation, first, rest...);
  double sum = 0;
  for (const double partial : download<double>(backend, partials.view())) sum += partial;
  return sum;
}

template <class T>
double dot_of(CudaBackend& backend, cudaStream_t stream, ConstMatrixView<T> x, ConstMatrixView<T> y) {
  make_one_row(x, y);
  return sum_over(
      backend, stream, "dot",
      [] __device__(std::size_t, std::size_t, const T& a, const T& b) {
        return static_cast<double>(a) * static_cast<double>(b);
      },
      x, y);
}

template <class T>
bool all_finite_in(CudaBackend& backend, cudaStream_t stream, ConstMatrixView<T> x) {
  make_one_row(x);
  // x - x is zero for every finite x and NaN for the others.
  return sum_over(
             backend, stream, "all_finite",
             [] __device__(std::size_t, std::size_t, const T& a) { return a - a == T{0} ? 0.0 : 1.0; }, x) == 0.0;
}

bool lower_finite_in(CudaBackend& backend, cudaStream_t stream, ConstMatrixView<double> a) {
  return sum_over(
             backend, stream, "all_finite",
             [] __device__(std::size_t i, std::size_t j, const double& x) {
               return j > i || x - x == 0.0 ? 0.0 : 1.0;  // what lies above the diagonal is not read
             },
             a) == 0.0;
}

/// A whole number that is larger where x is; the largest of all for NaN.
__device__ __forceinline__ std::uint64_t ordered(double x) {
  if (x != x) return ~std::uint64_t{0};  // NaN
  const auto bits = std::bit_cast<std::uint64_t>(x);
  constexpr std::uint64_t sign = std::uint64_t{1} << 63;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

double from_ordered(std::uint64_t key) {
  constexpr std::uint64_t sign = std::uint64_t{1} << 63;
  if (key == ~std::uint64_t{0}) return std::numeric_limits<double>::quiet_NaN();
  return std::bit_cast<double>((key & sign) != 0 ? key & ~sign : ~key);
}

constexpr unsigned digit_bits = 4;
constexpr std::size_t digits = std::size_t{1} << digit_bits;

/// How many elements whose key begins with `prefix` go on with each digit; `shift` bits follow the digit.
__global__ void count_digits_kernel(ConstMatrixView<double> x, std::uint64_t prefix, unsigned shift,
                                    std::uint64_t* counts /* [blocks, digits] */) {
  std::uint64_t count[digits] = {};
  for (std::size_t i = blockIdx.y; i < x.rows; i += gridDim.y)
    for (std::size_t j = blockIdx.x * std::size_t{block_size} + threadIdx.x; j < x.cols;
         j += std::size_t{gridDim.x} * block_size) {
      const std::uint64_t key = ordered(x(i, j)) >> shift;
      if (key >> digit_bits != prefix) continue;
      LYAPLOCK_UNROLL
      for (std::size_t digit = 0; digit < digits; ++digit) count[digit] += (key & (digits - 1)) == digit ? 1 : 0;
    }
  LYAPLOCK_UNROLL
  for (std::size_t digit = 0; digit < digits; ++digit) {
    const std::uint64_t sum = combined_in_block(count[digit], Sum());
    if (threadIdx.x == 0) counts[(blockIdx.y * std::size_t{gridDim.x} + blockIdx.x) * digits + digit] = sum;
  }
}

}  // namespace

double CudaBackend::dot(ConstMatrixView<double> x, ConstMatrixView<double> y) { return dot_of(*this, *stream_, x, y); }
double CudaBackend::dot(ConstMatrixView<float> x, ConstMatrixView<float> y) { return dot_of(*this, *stream_, x, y); }

double CudaBackend::subtract_from(ConstMatrixView<double> x, MatrixView<double> y) {
  make_one_row(x, y);
  return sum_over(
      *this, *stream_, "subtract_from",
      [] __device__(std::size_t, std::size_t, const double& from, double& to) {
        to = from - to;
        return to * to;
      },
      x, y);
}

/// From the first four bits of the key to the last: how many elements have the digits found so far, and each next one.
double CudaBackend::kth_smallest(ConstMatrixView<double> x, std::size_t k) {
  make_one_row(x);
  const unsigned across = blocks_for(x.cols, elements_of_block, most_partials);
  const dim3 grid(across, blocks_for(x.rows, 1, most_partials / across));
  Matrix<std::uint64_t> counts(*this, std::size_t{grid.x} * grid.y, digits);
  std::uint64_t key = 0;
  std::uint64_t before = 0;  // elements whose keys are less than those that begin with `key`
  for (unsigned shift = 64; shift > 0;) {
    shift -= digit_bits;
    LYAPLOCK_LAUNCH(count_digits_kernel, grid, dim3(block_size), *stream_, x, key, shift, counts.view().data);
    check_launch("kth_smallest", x);
    std::array<std::uint64_t, digits> total{};
    const std::vector<std::uint64_t> of_blocks = lyaplock::download<std::uint64_t>(*this, counts.view());
    for (std::size_t i = 0; i < of_blocks.size(); ++i) total[i % digits] += of_blocks[i];
    std::uint64_t digit = 0;
    while (digit + 1 < digits && before + total[digit] < k) before += total[digit++];
    key = key << digit_bits | digit;
  }
  return from_ordered(key);
}

bool CudaBackend::all_finite(ConstMatrixView<float> x) { return all_finite_in(*this, *stream_, x); }
bool CudaBackend::all_finite(ConstMatrixView<double> x) { return all_finite_in(*this, *stream_, x); }

bool CudaBackend::lower_all_finite(ConstMatrixView<double> a) { return lower_finite_in(*this, *stream_, a); }

}  // namespace lyaplock::cuda
