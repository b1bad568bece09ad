#include "backend/counted_flops.h"

#include <algorithm>

namespace lyaplock {

namespace {
thread_local double counted = 0;
}  // namespace

double counted_flops() { return counted; }

void count_flops(double operations) { counted += operations; }

namespace flops {

double gemm(std::size_t m, std::size_t n, std::size_t k) {
  return 2 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

double syrk(std::size_t n, std::size_t k) {
  return static_cast<double>(n) * static_cast<double>(n + 1) * static_cast<double>(k);
}

double potrf(std::size_t n) {
  const auto size = static_cast<double>(n);
  return size * size * size / 3;
}

double trsm(std::size_t n, std::size_t k) {
  return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(k);
}

double syevd(std::size_t n) {
  const auto size = static_cast<double>(n);
  return 9 * size * size * size;
}

double gesdd(std::size_t rows, std::size_t cols) {
  const auto m = static_cast<double>(std::max(rows, cols));
  const auto n = static_cast<double>(std::min(rows, cols));
  return 14 * m * n * n + 8 * n * n * n;
}

}  // namespace flops

}  // namespace lyaplock
