#include "arrays.h"
#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

/// Well conditioned and symmetric positive definite.
Array positive_definite(Random& random, std::size_t n) {
  const Array factor = random.array(n, n + 5);
  Array a = product(factor, transposed(factor));
  for (std::size_t i = 0; i < n; ++i) a(i, i) += 1;
  return a;
}

struct Sizes {
  std::size_t m, n, k;
};
// Of those that are cut into tiles, with rests and without, {9, 40, 1022} has rows of A 4 KiB apart: they are placed
// with a gap of an element on either side. The last three are large enough to be shared out over threads, by rows and
// by columns.
const std::vector<Sizes> product_sizes = {
    {0, 3, 2},     {3, 0, 2},       {3, 4, 0},       {1, 1, 1},     {1, 9, 5},     {1, 70, 33},
    {7, 1, 3},     {5, 6, 7},       {8, 0, 3},       {9, 31, 0},    {8, 32, 16},   {14, 33, 15},
    {29, 300, 20}, {20, 70, 1600},  {9, 40, 1022},   {33, 65, 17},  {128, 64, 96}, {2, 300, 3},
    {100, 90, 80}, {300, 200, 150}, {150, 400, 129}, {1, 1500, 900}};

template <class T>
void gemm(Backend& on, double tolerance) {
  Random random(11);
  for (const auto [m, n, k] : product_sizes)
    for (const Transpose a_op : {Transpose::no, Transpose::yes})
      for (const Transpose b_op : {Transpose::no, Transpose::yes})
        for (const double beta : {0.0, 0.5}) {
          const Array a = random.array(m, k);
          const Array b = random.array(k, n);
          // With beta 0 what was there must not matter, NaN least of all.
          const Array c = beta == 0 ? Array(m, n, NAN) : random.array(m, n);
          Array expected = product(a, b);
          for (std::size_t i = 0; i < expected.values.size(); ++i)
            expected.values[i] = 0.75 * expected.values[i] + (beta == 0 ? 0 : beta * c.values[i]);
          Placed<T> placed_a(on, a_op == Transpose::no ? a : transposed(a), 1);
          Placed<T> placed_b(on, b_op == Transpose::no ? b : transposed(b), 2);
          Placed<T> placed_c(on, c, 3);
          on.gemm(a_op, b_op, static_cast<T>(0.75), placed_a, placed_b, static_cast<T>(beta), placed_c.view());
          CHECK_CLOSE(placed_c.read(), expected, tolerance, tolerance * static_cast<double>(k + 1));
        }
}

template <class T>
void syrk(Backend& on, double tolerance) {
  Random random(12);
  for (const auto [m, n, k] : product_sizes)
    for (const Transpose a_op : {Transpose::no, Transpose::yes})
      for (const double beta : {0.0, 0.5}) {
        const Array a = random.array(n, k);
        const Array c = random.array(n, n);
        Array expected = product(a, transposed(a));
        for (std::size_t i = 0; i < expected.values.size(); ++i)
          expected.values[i] = 0.75 * expected.values[i] + beta * c.values[i];
        Placed<T> placed_a(on, a_op == Transpose::no ? a : transposed(a), 1);
        Placed<T> placed_c(on, beta == 0 ? joined(Array(n, n, NAN), c) : c, 2);
        on.syrk(a_op, static_cast<T>(0.75), placed_a, static_cast<T>(beta), placed_c.view());
        CHECK_CLOSE(placed_c.read(), joined(expected, c), tolerance, tolerance * static_cast<T>(k + 1));
      }
}

}  // namespace

BACKEND_TEST("gemm, float32") { gemm<float>(on, 1e-6); }
BACKEND_TEST("gemm, float64") { gemm<double>(on, 1e-14); }

BACKEND_TEST("gemm of a bfloat16 matrix is that of the float32 matrix of the same numbers") {
  Random random(16);
  std::vector<Sizes> sizes = product_sizes;
  sizes.push_back({3, 700, 900});  // more of B than becomes float32 at a time
  for (const auto [m, n, k] : sizes)
    for (const Transpose a_op : {Transpose::no, Transpose::yes})
      for (const Transpose b_op : {Transpose::no, Transpose::yes}) {
        const Array a = random.array(m, k);
        Array b = random.array(b_op == Transpose::no ? k : n, b_op == Transpose::no ? n : k);
        std::vector<Bfloat16> halves;
        for (double& value : b.values) {
          halves.push_back({float32_to_bfloat16(static_cast<float>(value))});
          value = bfloat16_to_float32(halves.back().bits);
        }
        const Matrix<Bfloat16> half = upload<Bfloat16>(on, halves, b.rows, b.cols);
        const Array c = random.array(m, n);
        Array expected = product(a, b_op == Transpose::no ? b : transposed(b));
        for (std::size_t i = 0; i < expected.values.size(); ++i)
          expected.values[i] = 0.75 * expected.values[i] + 0.5 * c.values[i];
        Placed<float> placed_a(on, a_op == Transpose::no ? a : transposed(a), 1);
        Placed<float> placed_c(on, c, 3);
        on.gemm(a_op, b_op, 0.75F, placed_a, half.view(), 0.5F, placed_c.view());
        CHECK_CLOSE(placed_c.read(), expected, 1e-6, 1e-6 * static_cast<double>(k + 1));
      }
}

BACKEND_TEST("syrk fills the lower triangle alone, float32") { syrk<float>(on, 1e-6); }
BACKEND_TEST("syrk fills the lower triangle alone, float64") { syrk<double>(on, 1e-14); }

BACKEND_TEST("potrf factors the lower triangle and leaves the upper alone") {
  Random random(13);
  for (const std::size_t n : {0, 1, 2, 5, 33, 100, 257, 600}) {
    const Array a = positive_definite(random, n);
    Placed<double> placed(on, joined(a, Array(n, n, 55)), 1);
    CHECK(on.potrf(placed) == 0);
    const Array l = placed.read();
    CHECK_SAME(joined(l, Array(n, n, 55)), l);
    const Array factor = lower_of(l);
    CHECK_CLOSE(product(factor, transposed(factor)), a, 1e-12, 1e-12 * static_cast<double>(n));
  }
}

BACKEND_TEST("potrf names the leading minor that is not positive") {
  Random random(14);
  for (const std::size_t n : {1, 5, 100, 600})
    for (const std::size_t bad : {std::size_t{0}, n / 2, n - 1}) {
      Array a = positive_definite(random, n);
      a(bad, bad) = -1;
      CHECK(on.potrf(Placed<double>(on, a, 1)) == bad + 1);
      a(bad, bad) = 0;
      CHECK(on.potrf(Placed<double>(on, a, 1)) == bad + 1);
    }
}

BACKEND_TEST("potrf takes NaN and infinity anywhere in the lower triangle as not positive") {
  Random random(15);
  for (const double bad : {NAN, INFINITY, -INFINITY})
    for (const std::size_t n : {1, 4, 130})
      for (int trial = 0; trial < 10; ++trial) {
        Array a = positive_definite(random, n);
        const std::size_t i = random.below(n);
        a(i, random.below(i + 1)) = bad;
        CHECK(on.potrf(Placed<double>(on, a)) != 0);
      }
}

BACKEND_TEST("trsm solves from both sides, with L and its transpose") {
  Random random(16);
  auto shapes = edge_shapes;
  shapes.insert(shapes.end(), {{20, 600}, {600, 20}});  // triangles that are halved more than once
  for (const Side side : {Side::left, Side::right})
    for (const Transpose op : {Transpose::no, Transpose::yes})
      for (const auto& [rows, cols] : shapes) {
        const std::size_t n = side == Side::left ? rows : cols;
        Array l = lower_of(random.array(n, n, -1 / (1 + static_cast<double>(n)), 1 / (1 + static_cast<double>(n))));
        for (std::size_t i = 0; i < n; ++i) l(i, i) += 2;
        const Array x = random.array(rows, cols);
        const Array matrix = op == Transpose::no ? l : transposed(l);
        Placed<double> b(on, side == Side::left ? product(matrix, x) : product(x, matrix), 2);
        Placed<double> placed_l(on, joined(l, Array(n, n, NAN)), 1);
        on.trsm(side, op, placed_l, b);
        CHECK_CLOSE(b.read(), x, 1e-12, 1e-12);
      }
}

BACKEND_TEST("solve_positive solves from the right, for few rows and for many") {
  Random random(15);
  for (const std::size_t n : {0, 1, 2, 37, 130})
    for (const std::size_t rows : {0, 1, 5, 140}) {
      const Array a = positive_definite(random, n);
      const Array b = random.array(rows, n);
      Placed<double> placed_a(on, a, 1), placed_b(on, b, 2);
      CHECK(on.solve_positive(placed_a.view(), placed_b.view()) == 0);
      CHECK_CLOSE(product(placed_b.read(), a), b, 1e-10, 1e-10);
    }
}

BACKEND_TEST("solve_positive solves a system that float32 cannot factor") {
  // The smallest eigenvalue is lost in the rounding of the largest to float32.
  constexpr std::size_t n = 40;
  Random random(16);
  const Array tall = random.array(n, 3, -1000, 1000);
  Array a = product(tall, transposed(tall));
  for (std::size_t i = 0; i < n; ++i) a(i, i) += 1e-3;
  const Array b = random.array(2, n);
  Placed<double> placed_a(on, a), placed_b(on, b);
  CHECK(on.solve_positive(placed_a.view(), placed_b.view()) == 0);
  const Array solved = placed_b.read();
  const Array error = product(solved, a);
  double norm = 0, residual = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) norm += a.values[i] * a.values[i];
  double solution = 0;
  for (std::size_t i = 0; i < error.values.size(); ++i) {
    residual += (error.values[i] - b.values[i]) * (error.values[i] - b.values[i]);
    solution += solved.values[i] * solved.values[i];
  }
  CHECK(std::sqrt(residual) <= 1e-14 * std::sqrt(norm) * std::sqrt(solution));
}

BACKEND_TEST("solve_positive names the leading minor that is not positive") {
  Random random(17);
  Array a = positive_definite(random, 60);
  a(41, 41) = -1;
  Placed<double> placed_a(on, a), placed_b(on, random.array(2, 60));
  CHECK(on.solve_positive(placed_a.view(), placed_b.view()) == 42);
}

BACKEND_TEST("mirror_lower makes a matrix symmetric") {
  Random random(17);
  for (const std::size_t n : {0, 1, 2, 31, 32, 33, 100, 300}) {
    const Array a = random.array(n, n);
    Placed<double> placed(on, a, 1);
    on.mirror_lower(placed);
    CHECK_SAME(placed.read(), joined(a, transposed(a)));
  }
}
