#include <algorithm>

#include "backend/counted_flops.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/row_major.h"
#include "backend/cpu/shared_blas.h"
#include "backend/cpu/wide_product.h"
#include "backend/matrix.h"
#include "backend/widened_product.h"

namespace lyaplock::cpu {

void CpuBackend::gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                      float beta, MatrixView<float> c) {
  count_flops(flops::gemm(c.rows, c.cols, inner_size(a_op, a)));
  if (a_op == Transpose::no && suits_wide_product(c.rows)) return add_wide_product(pool_, b_op, alpha, a, b, beta, c);
  if (c.rows != 1 || a.empty()) return add_product(pool_, a_op, b_op, alpha, a, b, beta, c);
  const std::size_t grain = product_grain / a.size() + 1;
  pool_.parallel_for(c.cols, grain, [&](std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    multiply_row(a_op, b_op, alpha, a, columns_of(b_op, b, begin, count), beta, c.column_range(begin, count));
  });
}

void CpuBackend::gemm(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a,
                      ConstMatrixView<double> b, double beta, MatrixView<double> c) {
  count_flops(flops::gemm(c.rows, c.cols, inner_size(a_op, a)));
  add_product(pool_, a_op, b_op, alpha, a, b, beta, c);
}

void CpuBackend::gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a,
                      ConstMatrixView<Bfloat16> b, float beta, MatrixView<float> c) {
  if (b.empty()) return gemm(a_op, b_op, alpha, a, ConstMatrixView<float>(nullptr, b.rows, b.cols), beta, c);
  // Few enough to be in a cache still when the product reads them.
  gemm_widened(*this, std::size_t{1} << 18, a_op, b_op, alpha, a, b, beta, c);
}

void CpuBackend::syrk(Transpose a_op, float alpha, ConstMatrixView<float> a, float beta, MatrixView<float> c) {
  count_flops(flops::syrk(c.rows, inner_size(a_op, a)));
  add_own_product(pool_, a_op, alpha, a, beta, c);
}
void CpuBackend::syrk(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta, MatrixView<double> c) {
  count_flops(flops::syrk(c.rows, inner_size(a_op, a)));
  add_own_product(pool_, a_op, alpha, a, beta, c);
}

std::size_t CpuBackend::potrf(MatrixView<double> a) {
  count_flops(flops::potrf(a.rows));
  return factor_positive_definite(pool_, a);
}

void CpuBackend::trsm(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  count_flops(flops::trsm(l.rows, side == Side::left ? b.cols : b.rows));
  solve_triangular(pool_, side, l_op, l, b);
}

std::size_t CpuBackend::solve_positive(MatrixView<double> a, MatrixView<double> b) {
  if (const std::size_t minor = potrf(a); minor != 0) return minor;
  trsm(Side::right, Transpose::yes, a, b);
  trsm(Side::right, Transpose::no, a, b);
  return 0;
}

void CpuBackend::mirror_lower(MatrixView<double> a) {
  // Tiles keep both the rows read and the rows written in the first cache.
  constexpr std::size_t tile = 32;
  const std::size_t tiles = (a.rows + tile - 1) / tile;
  over_rows(pool_, tiles, tile * a.rows, cheap_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row_tile = begin; row_tile < end; ++row_tile)
      for (std::size_t col_tile = row_tile; col_tile < tiles; ++col_tile)
        for (std::size_t i = row_tile * tile; i < std::min(a.rows, (row_tile + 1) * tile); ++i)
          for (std::size_t j = std::max(i + 1, col_tile * tile); j < std::min(a.rows, (col_tile + 1) * tile); ++j)
            a(i, j) = a(j, i);
  });
}

}  // namespace lyaplock::cpu
