#include "backend/cpu/wide_product.h"

#include "backend/row_major.h"
#include "base/error.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define LYAPLOCK_WIDE_PRODUCT 1
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "backend/cpu/vector_target.h"
#endif

namespace lyaplock::cpu {

#if defined(LYAPLOCK_WIDE_PRODUCT)

// Whatever holds a vector of 16 must be compiled for AVX-512, and is called on no other processor.
#define LYAPLOCK_AVX512 __attribute__((target("avx512f")))

namespace {

// A tile of 14 rows by 32 columns of C stays in registers while k runs: 28 of the 32, two more for a row of B and one
// for an element of A.
constexpr std::size_t vector_size = 16;
constexpr std::size_t tile_rows = 14;
constexpr std::size_t tile_cols = wide_product_columns;
constexpr std::size_t tile_vectors = tile_cols / vector_size;
// B is copied in panels of 32 columns, a row of 32 after the other, and so many panels as the second cache holds are
// then multiplied with every row of A.
constexpr std::size_t most_inner = 768;
constexpr std::size_t most_panels = 8;
// Fewer rows do not make up for the copy of B.
constexpr std::size_t least_rows = 8;

constexpr std::size_t pieces_of(std::size_t size, std::size_t most) { return (size + most - 1) / most; }
constexpr std::size_t rounded_up(std::size_t size) { return pieces_of(size, vector_size) * vector_size; }

/// Where piece `index` of [0, size) begins, of so many of about one length.
constexpr std::size_t edge(std::size_t size, std::size_t pieces, std::size_t index) { return size * index / pieces; }

/// A thread's own memory, kept from call to call: fresh pages cost more than the copy that goes into them.
struct Scratch {
  alignas(64) float panels[most_panels * most_inner * tile_cols];
  alignas(64) float rows[tile_rows * (most_inner + vector_size)];
  alignas(64) float tile[tile_rows * tile_cols];
};

Scratch& scratch_of_thread() {
  // Made without clearing it; the alignment is that of its members.
  thread_local const std::unique_ptr<Scratch> scratch(new Scratch);
  return *scratch;
}

struct Scales {
  float alpha;
  float beta;
};

/// C = alpha A B + beta C for one tile, `rows` by 32, of k rows of a panel B.
template <std::size_t rows>
LYAPLOCK_AVX512 LYAPLOCK_INLINE void multiply_tile(std::size_t k, Scales scales, const float* a, std::size_t a_stride,
                                                   const float* b, float* c, std::size_t c_stride) {
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t v = 0; v < tile_vectors; ++v) __builtin_prefetch(c + i * c_stride + v * vector_size, 1);
  __m512 sum[rows][tile_vectors];
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t v = 0; v < tile_vectors; ++v) sum[i][v] = _mm512_setzero_ps();
  for (std::size_t j = 0; j < k; ++j, ++a, b += tile_cols) {
    __m512 row[tile_vectors];
    for (std::size_t v = 0; v < tile_vectors; ++v) row[v] = _mm512_load_ps(b + v * vector_size);
    for (std::size_t i = 0; i < rows; ++i) {
      const __m512 element = _mm512_set1_ps(a[i * a_stride]);
      for (std::size_t v = 0; v < tile_vectors; ++v) sum[i][v] = _mm512_fmadd_ps(element, row[v], sum[i][v]);
    }
  }
  const __m512 alpha = _mm512_set1_ps(scales.alpha), beta = _mm512_set1_ps(scales.beta);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t v = 0; v < tile_vectors; ++v) sum[i][v] *= alpha;
  // With a beta of zero, what is there does not matter, NaN least of all.
  if (scales.beta != 0.0F)
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t v = 0; v < tile_vectors; ++v)
        sum[i][v] = _mm512_fmadd_ps(beta, _mm512_loadu_ps(c + i * c_stride + v * vector_size), sum[i][v]);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t v = 0; v < tile_vectors; ++v) _mm512_storeu_ps(c + i * c_stride + v * vector_size, sum[i][v]);
}

template <std::size_t rows = tile_rows>
LYAPLOCK_AVX512 void multiply_tile_of(std::size_t count, std::size_t k, Scales scales, const float* a,
                                      std::size_t a_stride, const float* b, float* c, std::size_t c_stride) {
  if constexpr (rows > 1)
    if (count < rows) return multiply_tile_of<rows - 1>(count, k, scales, a, a_stride, b, c, c_stride);
  multiply_tile<rows>(k, scales, a, a_stride, b, c, c_stride);
}

/// The same where the tile has fewer than 32 columns in C.
void multiply_narrow_tile(std::size_t rows, std::size_t cols, std::size_t k, Scales scales, const float* a,
                          std::size_t a_stride, const float* b, float* c, std::size_t c_stride, float* tile) {
  if (scales.beta != 0.0F)
    for (std::size_t i = 0; i < rows; ++i) std::copy_n(c + i * c_stride, cols, tile + i * tile_cols);
  multiply_tile_of(rows, k, scales, a, a_stride, b, tile, tile_cols);
  for (std::size_t i = 0; i < rows; ++i) std::copy_n(tile + i * tile_cols, cols, c + i * c_stride);
}

constexpr std::size_t transposed_rows = 16;

/// Two vectors interleaved: within each of their four quarters, the first or second halves, or whole quarters. By
/// builtins, because GCC 12 warns of its own intrinsics here (GCC bug 105593).
LYAPLOCK_AVX512 LYAPLOCK_INLINE __m512 first_elements(__m512 a, __m512 b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
}
LYAPLOCK_AVX512 LYAPLOCK_INLINE __m512 second_elements(__m512 a, __m512 b) {
  return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
}
LYAPLOCK_AVX512 LYAPLOCK_INLINE __m512 first_pairs(__m512 a, __m512 b) {
  return __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
}
LYAPLOCK_AVX512 LYAPLOCK_INLINE __m512 second_pairs(__m512 a, __m512 b) {
  return __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}
LYAPLOCK_AVX512 LYAPLOCK_INLINE __m512 even_quarters(__m512 a, __m512 b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}
LYAPLOCK_AVX512 LYAPLOCK_INLINE __m512 odd_quarters(__m512 a, __m512 b) {
  return __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/// out [16, 32] gets the transpose of 16 vectors as its first 16 columns.
LYAPLOCK_AVX512 LYAPLOCK_INLINE void store_transposed(__m512 (&r)[transposed_rows], float* out) {
  __m512 t[transposed_rows];
  for (std::size_t i = 0; i < 16; i += 2) {
    t[i] = first_elements(r[i], r[i + 1]);
    t[i + 1] = second_elements(r[i], r[i + 1]);
  }
  for (std::size_t i = 0; i < 16; i += 4)
    for (std::size_t half = 0; half < 2; ++half) {
      r[i + 2 * half] = first_pairs(t[i + half], t[i + 2 + half]);
      r[i + 2 * half + 1] = second_pairs(t[i + half], t[i + 2 + half]);
    }
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t half = 0; half < 16; half += 8) {
      t[i + half] = even_quarters(r[i + half], r[i + 4 + half]);
      t[i + 4 + half] = odd_quarters(r[i + half], r[i + 4 + half]);
    }
  for (std::size_t i = 0; i < 8; ++i) {
    _mm512_store_ps(out + i * tile_cols, even_quarters(t[i], t[i + 8]));
    _mm512_store_ps(out + (i + 8) * tile_cols, odd_quarters(t[i], t[i + 8]));
  }
}

/// panel [k rounded up, 32] = the transpose of b [cols, k], zero beyond.
LYAPLOCK_AVX512 void copy_transposed(ConstMatrixView<float> b, float* panel) {
  for (std::size_t first = 0; first < tile_cols; first += transposed_rows)
    for (std::size_t j = 0; j < b.cols; j += vector_size) {
      const std::size_t left = std::min(vector_size, b.cols - j);
      const auto mask = static_cast<__mmask16>((1U << left) - 1U);
      __m512 rows[transposed_rows];
      for (std::size_t i = 0; i < transposed_rows; ++i)
        rows[i] = first + i < b.rows ? _mm512_maskz_loadu_ps(mask, b.row(first + i) + j) : _mm512_setzero_ps();
      // What the next panel begins with: rows this far apart are too many streams for the processor to foresee.
      for (std::size_t i = 0; i < transposed_rows; ++i)
        __builtin_prefetch(b.data + (tile_cols + first + i) * b.stride + j, 0, 2);
      store_transposed(rows, panel + j * tile_cols + first);
    }
}

/// panel [k, 32] = b [k, cols], zero beyond.
void copy_straight(ConstMatrixView<float> b, float* panel) {
  for (std::size_t j = 0; j < b.rows; ++j, panel += tile_cols) {
    std::copy_n(b.row(j), b.cols, panel);
    std::fill_n(panel + b.cols, tile_cols - b.cols, 0.0F);
  }
}

/// Rows this far apart would all lie in the same few places of the first cache.
bool collide_in_cache(std::size_t stride) { return stride % 1024 == 0; }

/// C = alpha A op(B) + beta C where B's panels fit the scratch memory.
void multiply_block(Transpose b_op, Scales scales, ConstMatrixView<float> a, ConstMatrixView<float> b,
                    MatrixView<float> c, Scratch& scratch) {
  const std::size_t k = a.cols;
  const auto panel_at = [&](std::size_t col) { return scratch.panels + col * rounded_up(k); };
  for (std::size_t col = 0; col < c.cols; col += tile_cols) {
    const ConstMatrixView<float> columns = columns_of(b_op, b, col, std::min(tile_cols, c.cols - col));
    if (b_op == Transpose::yes)
      copy_transposed(columns, panel_at(col));
    else
      copy_straight(columns, panel_at(col));
  }
  const std::size_t tiles = pieces_of(c.rows, tile_rows);
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    const std::size_t begin = edge(c.rows, tiles, tile), count = edge(c.rows, tiles, tile + 1) - begin;
    ConstMatrixView<float> rows = a.row_range(begin, count);
    if (collide_in_cache(a.stride)) {
      constexpr std::size_t stride = most_inner + vector_size;
      for (std::size_t i = 0; i < count; ++i) std::copy_n(rows.row(i), k, scratch.rows + i * stride);
      rows = {scratch.rows, count, k, stride};
    }
    std::size_t col = 0;
    for (; col + tile_cols <= c.cols; col += tile_cols)
      multiply_tile_of(count, k, scales, rows.data, rows.stride, panel_at(col), c.row(begin) + col, c.stride);
    if (col < c.cols)
      multiply_narrow_tile(count, c.cols - col, k, scales, rows.data, rows.stride, panel_at(col), c.row(begin) + col,
                           c.stride, scratch.tile);
  }
}

}  // namespace

bool suits_wide_product(std::size_t rows) { return rows >= least_rows && __builtin_cpu_supports("avx512f"); }

void multiply_wide(Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b, float beta,
                   MatrixView<float> c) {
  if (c.empty()) return;
  Scratch& scratch = scratch_of_thread();
  // Without anything to sum there is still beta.
  const std::size_t pieces = std::max<std::size_t>(1, pieces_of(a.cols, most_inner));
  const std::size_t panels = pieces_of(c.cols, tile_cols), blocks = pieces_of(panels, most_panels);
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    const std::size_t first = edge(a.cols, pieces, piece), k = edge(a.cols, pieces, piece + 1) - first;
    const ConstMatrixView<float> inner = rows_of(b_op, b, first, k);
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t begin = edge(panels, blocks, block) * tile_cols;
      const std::size_t count = std::min(edge(panels, blocks, block + 1) * tile_cols, c.cols) - begin;
      multiply_block(b_op, {alpha, piece == 0 ? beta : 1.0F}, a.column_range(first, k),
                     columns_of(b_op, inner, begin, count), c.column_range(begin, count), scratch);
    }
  }
}

#else

bool suits_wide_product(std::size_t) { return false; }

void multiply_wide(Transpose, float, ConstMatrixView<float>, ConstMatrixView<float>, float, MatrixView<float>) {
  throw Error(ErrorCode::internal, "No product is written for this processor; please report this");
}

#endif

}  // namespace lyaplock::cpu
