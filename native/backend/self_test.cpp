#include "backend/self_test.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "backend/matrix.h"

namespace lyaplock {

namespace {

/// Numbers in [-1, 1) that are the same on every machine.
template <class T>
std::vector<T> pattern(std::size_t count, std::uint64_t state) {
  std::vector<T> values(count);
  for (T& value : values) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    value = static_cast<T>(static_cast<double>(state >> 11) * 0x1.0p-52 - 1.0);
  }
  return values;
}

template <class T>
double gigaflops(Backend& backend) {
  constexpr std::size_t kSize = 1024;
  const Matrix<T> a = upload<T>(backend, pattern<T>(kSize * kSize, 1), kSize, kSize);
  const Matrix<T> b = upload<T>(backend, pattern<T>(kSize * kSize, 2), kSize, kSize);
  Matrix<T> c(backend, kSize, kSize);
  double best = 0;
  for (int repetition = 0; repetition < 5; ++repetition) {
    const auto start = std::chrono::steady_clock::now();
    backend.gemm(Transpose::no, Transpose::yes, T{1}, a, b, T{0}, c);
    backend.synchronize();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2.0 * kSize * kSize * kSize / seconds * 1e-9);
  }
  return best;
}

double product_error(Backend& backend) {
  constexpr std::size_t kRows = 67, kInner = 257, kCols = 131;  // not multiples of any kernel's block
  const std::vector<float> a = pattern<float>(kRows * kInner, 3), b = pattern<float>(kCols * kInner, 4);
  Matrix<float> c(backend, kRows, kCols);
  backend.gemm(Transpose::no, Transpose::yes, 1.0F, upload<float>(backend, a, kRows, kInner),
               upload<float>(backend, b, kCols, kInner), 0.0F, c);
  const std::vector<float> product = download<float>(backend, c.view());
  double worst = 0;
  for (std::size_t i = 0; i < kRows; ++i)
    for (std::size_t j = 0; j < kCols; ++j) {
      double exact = 0, magnitude = 0;
      for (std::size_t k = 0; k < kInner; ++k) {
        const double term = static_cast<double>(a[i * kInner + k]) * static_cast<double>(b[j * kInner + k]);
        exact += term;
        magnitude += std::abs(term);
      }
      const double error = std::abs(static_cast<double>(product[i * kCols + j]) - exact) / magnitude;
      if (!(error <= worst)) worst = error;  // keeps NaN
    }
  return worst;
}

double factor_error(Backend& backend) {
  constexpr std::size_t kSize = 193;
  const Matrix<double> root = upload<double>(backend, pattern<double>(kSize * kSize, 5), kSize, kSize);
  Matrix<double> matrix(backend, kSize, kSize), factor(backend, kSize, kSize), lower(backend, kSize, kSize);
  backend.syrk(Transpose::no, 1.0, root, 0.0, matrix);
  backend.mirror_lower(matrix);
  backend.copy(matrix.view(), factor.view());
  if (backend.potrf(factor) != 0) return NAN;
  std::vector<double> values = download<double>(backend, factor.view());
  for (std::size_t i = 0; i < kSize; ++i)
    for (std::size_t j = i + 1; j < kSize; ++j) values[i * kSize + j] = 0;
  lower = upload<double>(backend, values, kSize, kSize);
  const double norm = std::sqrt(backend.dot(matrix.view(), matrix.view()));
  backend.gemm(Transpose::no, Transpose::yes, 1.0, lower, lower, -1.0, matrix);
  return std::sqrt(backend.dot(matrix.view(), matrix.view())) / norm;
}

}  // namespace

SelfTest self_test(Backend& backend) {
  return {product_error(backend), factor_error(backend), gigaflops<float>(backend), gigaflops<double>(backend)};
}

}  // namespace lyaplock
