#include "backend/counted_flops.h"

#include <thread>

#include "arrays.h"
#include "backend_test.h"
#include "counted_in.h"

using namespace lyaplock;
using namespace lyaplock::test;

// Large enough for a factor to be made of products and triangular systems, which must not be counted again.
BACKEND_TEST("operations are counted once, from their shapes") {
  Random random(41);
  const std::size_t n = 300;
  Placed<double> a(on, random.array(n, n));
  Placed<double> c(on, Array(n, n));
  Placed<double> thin(on, random.array(n, 20));
  CHECK(counted_in([&] { on.gemm(Transpose::yes, Transpose::no, 1.0, thin, a, 0.0, c.view().row_range(0, 20)); }) ==
        2.0 * 20 * 300 * 300);
  CHECK(counted_in([&] { on.syrk(Transpose::no, 1.0, thin, 0.0, c); }) == 300.0 * 301 * 20);
  CHECK(counted_in([&] { on.syrk(Transpose::yes, 1.0, a, 0.0, c); }) == 300.0 * 301 * 300);
  CHECK(counted_in([&] { CHECK(on.potrf(c) == 0); }) == 300.0 * 300 * 300 / 3);
  CHECK(counted_in([&] { on.trsm(Side::left, Transpose::no, c, thin); }) == 300.0 * 300 * 20);
  CHECK(counted_in([&] { on.trsm(Side::right, Transpose::no, c, a); }) == 300.0 * 300 * 300);

  Placed<float> row(on, Array(1, 7, 1));
  Placed<float> square(on, Array(7, 7, 1));
  Placed<float> out(on, Array(1, 7));
  CHECK(counted_in([&] { on.gemm(Transpose::no, Transpose::no, 1.0F, row, square, 0.0F, out); }) == 2.0 * 7 * 7);
  CHECK(counted_in([&] {
          on.syrk(Transpose::no, 1.0F, row, 0.0F, square.view().row_range(0, 1).column_range(0, 1));
        }) == 2.0 * 7);

  Placed<double> symmetric(on, identity(6));
  Placed<double> values(on, Array(1, 6));
  CHECK(counted_in([&] { on.syevd(symmetric, values); }) == 9.0 * 6 * 6 * 6);
  Placed<double> wide(on, random.array(3, 5));
  Placed<double> u(on, Array(3, 3));
  Placed<double> three(on, Array(1, 3));
  Placed<double> vt(on, Array(3, 5));
  CHECK(counted_in([&] { on.gesdd(wide, u, three, vt); }) == 14.0 * 5 * 9 + 8 * 27);
}

BACKEND_TEST("a thread counts what it asked for itself") {
  Placed<double> a(on, Array(8, 8, 1));
  Placed<double> c(on, Array(8, 8));
  const auto work = [&] { on.gemm(Transpose::no, Transpose::no, 1.0, a, a, 0.0, c); };
  double elsewhere = -1;
  CHECK(counted_in([&] { std::thread([&] { elsewhere = counted_in(work); }).join(); }) == 0);
  CHECK(elsewhere == 2.0 * 8 * 8 * 8);
}
