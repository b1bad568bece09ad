#include "backend/cpu/small_product.h"

#include "backend/cpu/vector_target.h"

namespace lyaplock::cpu {

namespace {

// A block of 6 rows by 16 columns of C stays in registers while k runs: 12 of the 16 that AVX2 has, two for a row of B
// and one for an element of A.
constexpr std::size_t block_rows = 6;
constexpr std::size_t block_cols = 16;
constexpr std::size_t block_vectors = block_cols / vector_width;

template <std::size_t rows>
LYAPLOCK_INLINE void add_block(const SmallProduct& p, std::size_t row, std::size_t col) {
  Vector sum[rows][block_vectors] = {};
  const float* a = p.a + row * p.a_row_step;
  const float* b = p.b + col;
  for (std::size_t j = 0; j < p.k; ++j, a += p.a_col_step, b += p.b_stride)
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t v = 0; v < block_vectors; ++v)
        sum[i][v] += a[i * p.a_row_step] * as_vector(b + v * vector_width);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t v = 0; v < block_vectors; ++v)
      as_vector(p.c + (row + i) * p.c_stride + col + v * vector_width) += sum[i][v];
}

LYAPLOCK_INLINE void add_column_block(const SmallProduct& p, std::size_t col) {
  std::size_t row = 0;
  for (; row + block_rows <= p.m; row += block_rows) add_block<block_rows>(p, row, col);
  switch (p.m - row) {
    case 5: return add_block<5>(p, row, col);
    case 4: return add_block<4>(p, row, col);
    case 3: return add_block<3>(p, row, col);
    case 2: return add_block<2>(p, row, col);
    case 1: return add_block<1>(p, row, col);
    default: return;
  }
}

/// Columns [col, n) that do not fill a block.
LYAPLOCK_INLINE void add_last_columns(const SmallProduct& p, std::size_t col) {
  for (std::size_t i = 0; i < p.m; ++i)
    for (std::size_t j = 0; j < p.k; ++j) {
      const float a = p.a[i * p.a_row_step + j * p.a_col_step];
      for (std::size_t l = col; l < p.n; ++l) p.c[i * p.c_stride + l] += a * p.b[j * p.b_stride + l];
    }
}

}  // namespace

LYAPLOCK_VECTORISED void add_small_product(const SmallProduct& product) {
  const SmallProduct p = product;
  std::size_t col = 0;
  for (; col + block_cols <= p.n; col += block_cols) add_column_block(p, col);
  if (col < p.n) add_last_columns(p, col);
}

}  // namespace lyaplock::cpu
