#include "backend/cpu/wide_product.h"

#include <cstdio>
#include <utility>

#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

TEST("an element of a wide product does not depend on the rows and columns computed with it, nor on threads") {
  const std::size_t m = 61, n = 643, k = 900;
  if (!cpu::suits_wide_product(1000)) return std::puts("skipped: no wide product on this processor"), void();
  Random random(21);
  const Array a = random.array(m, k), b = random.array(n, k), c = random.array(m, n);

  const auto on = create_cpu_backend(1);
  Placed<float> placed_a(*on, a), placed_b(*on, b), whole(*on, c), pieces(*on, c);
  cpu::multiply_wide(Transpose::yes, 0.75F, placed_a, placed_b, 0.5F, whole);
  const ConstMatrixView<float> rows = placed_a, columns = placed_b;
  for (const auto& [row, row_count] : {std::pair<std::size_t, std::size_t>{0, 17}, {17, 1}, {18, 43}})
    for (const auto& [col, col_count] : {std::pair<std::size_t, std::size_t>{0, 5}, {5, 600}, {605, 38}})
      cpu::multiply_wide(Transpose::yes, 0.75F, rows.row_range(row, row_count), columns.row_range(col, col_count), 0.5F,
                         pieces.view().row_range(row, row_count).column_range(col, col_count));
  CHECK_SAME(pieces.read(), whole.read());

  for (const std::size_t threads : {2, 3, 8}) {
    const auto shared = create_cpu_backend(threads);
    Placed<float> out(*shared, c);
    shared->gemm(Transpose::no, Transpose::yes, 0.75F, placed_a, placed_b, 0.5F, out.view());
    CHECK_SAME(out.read(), whole.read());
  }
}
