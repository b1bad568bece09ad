#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/vector_target.h"
#include "backend/matrix.h"

namespace lyaplock::cpu {

namespace {

/// Sum of x[i] y[i] in float64, in 32 interleaved partial sums.
template <class T>
LYAPLOCK_INLINE double inner_product(std::size_t n, const T* x, const T* y) {
  constexpr std::size_t partials = 32;
  double partial[partials] = {};
  std::size_t i = 0;
  for (; i + partials <= n; i += partials)
    for (std::size_t j = 0; j < partials; ++j)
      partial[j] += static_cast<double>(x[i + j]) * static_cast<double>(y[i + j]);
  double sum = 0;
  for (; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  for (const double part : partial) sum += part;
  return sum;
}

LYAPLOCK_VECTORISED double dot_of_run(std::size_t n, const float* x, const float* y) { return inner_product(n, x, y); }
LYAPLOCK_VECTORISED double dot_of_run(std::size_t n, const double* x, const double* y) {
  return inner_product(n, x, y);
}

/// y = x - y; returns the sum of its squares, in 32 interleaved partial sums.
LYAPLOCK_VECTORISED double subtract_run(std::size_t n, const double* LYAPLOCK_RESTRICT x, double* LYAPLOCK_RESTRICT y) {
  constexpr std::size_t partials = 32;
  double partial[partials] = {};
  std::size_t i = 0;
  for (; i + partials <= n; i += partials)
    for (std::size_t j = 0; j < partials; ++j) {
      const double difference = x[i + j] - y[i + j];
      y[i + j] = difference;
      partial[j] += difference * difference;
    }
  double sum = 0;
  for (; i < n; ++i) {
    y[i] = x[i] - y[i];
    sum += y[i] * y[i];
  }
  for (const double part : partial) sum += part;
  return sum;
}

/// x - x is zero for every finite x and NaN for the others; NaN stays in the sum.
template <class T>
LYAPLOCK_INLINE bool has_only_finite(std::size_t n, const T* x) {
  constexpr std::size_t partials = 32;
  T partial[partials] = {};
  std::size_t i = 0;
  for (; i + partials <= n; i += partials)
    for (std::size_t j = 0; j < partials; ++j) partial[j] += x[i + j] - x[i + j];
  T sum = 0;
  for (; i < n; ++i) sum += x[i] - x[i];
  for (const T part : partial) sum += part;
  return sum == T{0};
}

LYAPLOCK_VECTORISED bool finite_run(std::size_t n, const float* x) { return has_only_finite(n, x); }
LYAPLOCK_VECTORISED bool finite_run(std::size_t n, const double* x) { return has_only_finite(n, x); }

/// Rows of one block of a sum: blocks depend on the shape alone, so the sum does not depend on the threads.
std::size_t rows_of_block(std::size_t cols) { return std::max<std::size_t>(1, cheap_grain / cols); }

/// Sum of sum_of_row(i) over the rows of a matrix that has columns.
template <class RowSum>
double sum_over_rows(ThreadPool& pool, std::size_t rows, std::size_t cols, const RowSum& sum_of_row) {
  const std::size_t block_rows = rows_of_block(cols);
  std::vector<double> sums((rows + block_rows - 1) / block_rows);
  pool.parallel_for(sums.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t block = begin; block < end; ++block) {
      double sum = 0;
      const std::size_t last = std::min(rows, (block + 1) * block_rows);
      for (std::size_t i = block * block_rows; i < last; ++i) sum += sum_of_row(i);
      sums[block] = sum;
    }
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

template <class T>
double dot_of(ThreadPool& pool, ConstMatrixView<T> x, ConstMatrixView<T> y) {
  if (x.empty()) return 0;
  return sum_over_rows(pool, x.rows, x.cols, [&](std::size_t i) { return dot_of_run(x.cols, x.row(i), y.row(i)); });
}

template <class T>
bool all_finite_in(ThreadPool& pool, ConstMatrixView<T> x) {
  std::atomic<bool> finite = true;
  over_elements(
      pool, cheap_grain,
      [&finite](std::size_t n, const T* run) {
        if (!finite_run(n, run)) finite.store(false, std::memory_order_relaxed);
      },
      x);
  return finite.load();
}

}  // namespace

double CpuBackend::dot(ConstMatrixView<double> x, ConstMatrixView<double> y) { return dot_of(pool_, x, y); }
double CpuBackend::dot(ConstMatrixView<float> x, ConstMatrixView<float> y) { return dot_of(pool_, x, y); }

double CpuBackend::subtract_from(ConstMatrixView<double> x, MatrixView<double> y) {
  if (x.empty()) return 0;
  return sum_over_rows(pool_, x.rows, x.cols, [&](std::size_t i) { return subtract_run(x.cols, x.row(i), y.row(i)); });
}

double CpuBackend::kth_smallest(ConstMatrixView<double> x, std::size_t k) {
  Matrix<double> copied(*this, x.rows, x.cols);
  copy(x, copied);
  double* const first = copied.view().data;
  // An order of all values, NaN included, without which nth_element may go anywhere.
  std::nth_element(first, first + (k - 1), first + x.size(),
                   [](double a, double b) { return a < b || (std::isnan(b) && !std::isnan(a)); });
  return first[k - 1];
}

bool CpuBackend::all_finite(ConstMatrixView<float> x) { return all_finite_in(pool_, x); }
bool CpuBackend::all_finite(ConstMatrixView<double> x) { return all_finite_in(pool_, x); }

}  // namespace lyaplock::cpu
