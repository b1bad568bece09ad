#include "backend/measure_blas.h"

#include <chrono>
#include <functional>

#include "backend/counted_flops.h"
#include "backend/cpu/blas_threads.h"
#include "backend/cpu/row_major.h"
#include "backend/matrix.h"
#include "base/error.h"

namespace lyaplock {

namespace {

using Clock = std::chrono::steady_clock;

/// The library on threads of its own while this lives.
class LibraryThreads {
 public:
  explicit LibraryThreads(std::size_t threads) { cpu::set_blas_threads(threads); }
  ~LibraryThreads() { cpu::set_blas_threads(1); }
  LibraryThreads(const LibraryThreads&) = delete;
  LibraryThreads& operator=(const LibraryThreads&) = delete;
};

double seconds_of(const std::function<void()>& call) {
  const auto start = Clock::now();
  call();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Numbers in [-1, 1) that are the same in every run.
template <class T>
Matrix<T> numbers(Backend& backend, std::size_t rows, std::size_t cols) {
  Matrix<T> matrix(backend, rows, cols);
  std::uint64_t state = rows + 1;
  for (T& value : std::span(matrix.view().data, rows * cols)) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    value = static_cast<T>(static_cast<double>(state >> 11) * 0x1.0p-52 - 1.0);
  }
  return matrix;
}

/// The same with a diagonal that outweighs its row, so that triangular systems and factors stay finite.
Matrix<double> dominant(Backend& backend, std::size_t n) {
  Matrix<double> matrix = numbers<double>(backend, n, n);
  for (std::size_t i = 0; i < n; ++i) matrix.view()(i, i) += static_cast<double>(n);
  return matrix;
}

/// The library's threads look for more work before they sleep, for some tens of milliseconds; ours shall not share the
/// processor with them. But a processor that has rested takes some tens of milliseconds to come back to its full speed,
/// and a short call was seen to take twice as long in them: so it does not rest.
void keep_busy_until_threads_sleep(Backend& backend) {
  constexpr std::chrono::milliseconds enough{100};
  constexpr std::size_t size = 512;
  const Matrix<double> a = numbers<double>(backend, size, size);
  Matrix<double> product(backend, size, size);
  const auto start = Clock::now();
  while (Clock::now() - start < enough) backend.gemm(Transpose::no, Transpose::yes, 1.0, a, a, 0.0, product);
}

/// Times both calls; each changes `operand`, which is `initial` before either.
template <class T>
BlasSpeed compare(Backend& backend, std::size_t threads, double flops, const Matrix<T>& initial,
                  const std::function<void(MatrixView<T>)>& library, const std::function<void(MatrixView<T>)>& ours) {
  Matrix<T> operand(backend, initial.rows(), initial.cols());
  const auto prepare = [&] {
    backend.copy(initial.view(), operand);
    keep_busy_until_threads_sleep(backend);
  };
  prepare();
  double library_seconds = 0;
  {
    const LibraryThreads own(threads);
    library_seconds = seconds_of([&] { library(operand); });
  }
  prepare();
  return {library_seconds, seconds_of([&] { ours(operand); }), flops};
}

template <class T>
BlasSpeed measure_gemm(Backend& backend, const BlasProblem& problem, std::size_t threads) {
  const auto [operation, precision, rows, columns, inner] = problem;
  const Matrix<T> a = numbers<T>(backend, rows, inner);
  const Matrix<T> b = numbers<T>(backend, columns, inner);
  return compare<T>(
      backend, threads, flops::gemm(rows, columns, inner), numbers<T>(backend, rows, columns),
      [&](MatrixView<T> c) { cpu::multiply(Transpose::no, Transpose::yes, T{1}, a, b, T{0}, c); },
      [&](MatrixView<T> c) { backend.gemm(Transpose::no, Transpose::yes, T{1}, a, b, T{0}, c); });
}

template <class T>
BlasSpeed measure_syrk(Backend& backend, const BlasProblem& problem, std::size_t threads) {
  const Matrix<T> a = numbers<T>(backend, problem.inner, problem.rows);
  return compare<T>(
      backend, threads, flops::syrk(problem.rows, problem.inner), numbers<T>(backend, problem.rows, problem.rows),
      [&](MatrixView<T> c) { cpu::multiply_by_own_transpose(Transpose::yes, T{1}, a, T{1}, c); },
      [&](MatrixView<T> c) { backend.syrk(Transpose::yes, T{1}, a, T{1}, c); });
}

BlasSpeed measure_potrf(Backend& backend, const BlasProblem& problem, std::size_t threads) {
  const auto check = [](std::size_t minor) {
    if (minor != 0) throw Error(ErrorCode::internal, "A dominant matrix was not positive definite; run the self-test");
  };
  return compare<double>(
      backend, threads, flops::potrf(problem.rows), dominant(backend, problem.rows),
      [&](MatrixView<double> a) { check(cpu::factor(a)); }, [&](MatrixView<double> a) { check(backend.potrf(a)); });
}

BlasSpeed measure_trsm(Backend& backend, const BlasProblem& problem, std::size_t threads) {
  const Matrix<double> l = dominant(backend, problem.columns);
  return compare<double>(
      backend, threads, flops::trsm(problem.columns, problem.rows),
      numbers<double>(backend, problem.rows, problem.columns),
      [&](MatrixView<double> b) { cpu::solve(Side::right, Transpose::yes, l, b); },
      [&](MatrixView<double> b) { backend.trsm(Side::right, Transpose::yes, l, b); });
}

void require_size(std::size_t size, const char* name) {
  if (size == 0) throw Error(ErrorCode::invalid_argument, std::string(name) + " must be one or more");
}

void require_double(const BlasProblem& problem, const char* name) {
  if (problem.precision == Precision::float32)
    throw Error(ErrorCode::invalid_argument, std::string(name) + " is in float64 alone; ask for that precision");
}

}  // namespace

BlasSpeed measure_blas(Backend& backend, const BlasProblem& problem, std::size_t threads) {
  if (!backend.shares_host_memory())
    throw Error(ErrorCode::invalid_argument, "BLAS is the CPU's, and this process computes on " +
                                                 backend.description() + "; measure it with --device cpu");
  const bool single = problem.precision == Precision::float32;
  require_size(problem.rows, "rows");
  switch (problem.operation) {
    case BlasOperation::gemm:
      require_size(problem.columns, "columns");
      require_size(problem.inner, "inner");
      return single ? measure_gemm<float>(backend, problem, threads) : measure_gemm<double>(backend, problem, threads);
    case BlasOperation::syrk:
      require_size(problem.inner, "inner");
      return single ? measure_syrk<float>(backend, problem, threads) : measure_syrk<double>(backend, problem, threads);
    case BlasOperation::potrf: require_double(problem, "potrf"); return measure_potrf(backend, problem, threads);
    case BlasOperation::trsm:
      require_double(problem, "trsm");
      require_size(problem.columns, "columns");
      return measure_trsm(backend, problem, threads);
  }
  throw Error(ErrorCode::internal, "An operation that is not one of the four");
}

}  // namespace lyaplock
