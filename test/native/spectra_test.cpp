#include <algorithm>

#include "arrays.h"
#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

Array symmetric(Random& random, std::size_t n) {
  Array a = random.array(n, n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < i; ++j) a(j, i) = a(i, j);
  return a;
}

bool is_rising(const Array& values) { return std::is_sorted(values.values.begin(), values.values.end()); }
bool is_falling(const Array& values) { return std::is_sorted(values.values.rbegin(), values.values.rend()); }

}  // namespace

BACKEND_TEST("syevd gives eigenvectors as rows, by rising eigenvalue, of the lower triangle") {
  Random random(21);
  for (const std::size_t n : {0, 1, 2, 5, 33, 130}) {
    const Array a = symmetric(random, n);
    // What is above the diagonal must not matter.
    Placed<double> placed(on, joined(a, Array(n, n, NAN)), 1);
    Placed<double> placed_values(on, Array(1, n, NAN), 2);
    on.syevd(placed, placed_values);
    const Array vectors = placed.read();
    const Array values = placed_values.read();
    CHECK(is_rising(values));
    CHECK_CLOSE(product(vectors, transposed(vectors)), identity(n), 0, 1e-13);
    CHECK_CLOSE(product(with_scaled_columns(transposed(vectors), values), vectors), a, 0, 1e-12);
  }
}

BACKEND_TEST("syevd of a matrix without full rank, and of zero") {
  Random random(22);
  const Array factor = random.array(20, 3);
  Placed<double> placed(on, product(factor, transposed(factor)));
  Placed<double> values(on, Array(1, 20));
  on.syevd(placed, values);
  const Array found = values.read();
  for (std::size_t i = 0; i < 20; ++i) CHECK(i < 17 ? std::abs(found(0, i)) < 1e-13 : found(0, i) > 0.1);

  Placed<double> zero(on, Array(4, 4));
  Placed<double> zeros(on, Array(1, 4, NAN));
  on.syevd(zero, zeros);
  CHECK_SAME(zeros.read(), Array(1, 4));
}

BACKEND_TEST("syevd refuses NaN and infinity in the lower triangle") {
  Random random(23);
  for (const double bad : {NAN, INFINITY, -INFINITY})
    for (const std::size_t n : {1, 6, 40}) {
      Array a = symmetric(random, n);
      a(n - 1, n / 2) = bad;
      Placed<double> placed(on, a, 1);
      Placed<double> values(on, Array(1, n));
      CHECK_ERROR(ErrorCode::not_finite, on.syevd(placed, values));
    }
}

BACKEND_TEST("gesdd gives A = U diag(values) V^T, by falling singular value") {
  Random random(24);
  for (const auto& [m, n] : edge_shapes) {
    const std::size_t k = std::min(m, n);
    const Array a = random.array(m, n);
    Placed<double> placed(on, a, 1);
    Placed<double> placed_u(on, Array(m, k, NAN), 2);
    Placed<double> placed_values(on, Array(1, k, NAN), 1);
    Placed<double> placed_vt(on, Array(k, n, NAN), 3);
    on.gesdd(placed, placed_u, placed_values, placed_vt);
    const Array u = placed_u.read();
    const Array values = placed_values.read();
    const Array vt = placed_vt.read();
    CHECK(is_falling(values));
    CHECK(k == 0 || values(0, k - 1) >= 0);
    CHECK_CLOSE(product(transposed(u), u), identity(k), 0, 1e-13);
    CHECK_CLOSE(product(vt, transposed(vt)), identity(k), 0, 1e-13);
    CHECK_CLOSE(product(with_scaled_columns(u, values), vt), a, 0, 1e-12);
  }
}

BACKEND_TEST("gesdd refuses NaN and infinity") {
  Random random(25);
  for (const double bad : {NAN, INFINITY, -INFINITY}) {
    Array a = random.array(6, 9);
    a(4, 2) = bad;
    Placed<double> placed(on, a, 1);
    Placed<double> u(on, Array(6, 6));
    Placed<double> values(on, Array(1, 6));
    Placed<double> vt(on, Array(6, 9));
    CHECK_ERROR(ErrorCode::not_finite, on.gesdd(placed, u, values, vt));
  }
}
