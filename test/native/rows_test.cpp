#include <algorithm>
#include <numeric>

#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

std::vector<std::int32_t> random_indices(Random& random, std::size_t count, std::size_t limit) {
  std::vector<std::int32_t> indices(count);
  for (std::int32_t& index : indices) index = static_cast<std::int32_t>(random.below(limit));
  return indices;
}

std::size_t at(const std::vector<std::int32_t>& indices, std::size_t i) { return static_cast<std::size_t>(indices[i]); }

}  // namespace

BACKEND_TEST("gather_rows") {
  Random random(21);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array source = random.array(17, cols);
    const std::vector<std::int32_t> indices = random_indices(random, rows, 17);
    Array expected(rows, cols);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) expected(i, j) = source(at(indices, i), j);
    Placed<float> out(on, Array(rows, cols, NAN), 2);
    on.gather_rows(Placed<float>(on, source, 1), indices, out);
    CHECK_SAME(out.read(), expected);
  }
}

BACKEND_TEST("gather_rows and convert of bfloat16") {
  Random random(23);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array source = random.array(17, cols);
    std::vector<Bfloat16> halves;
    for (const double value : source.values) halves.push_back({float32_to_bfloat16(static_cast<float>(value))});
    const Matrix<Bfloat16> half = upload<Bfloat16>(on, halves, 17, cols);
    const auto value = [&](std::size_t i, std::size_t j) {
      return static_cast<double>(bfloat16_to_float32(halves[i * cols + j].bits));
    };
    const std::vector<std::int32_t> indices = random_indices(random, rows, 17);
    Array gathered(rows, cols), converted(17, cols);
    for (std::size_t j = 0; j < cols; ++j) {
      for (std::size_t i = 0; i < rows; ++i) gathered(i, j) = value(at(indices, i), j);
      for (std::size_t i = 0; i < 17; ++i) converted(i, j) = value(i, j);
    }
    Placed<float> out(on, Array(rows, cols, NAN), 2), all(on, Array(17, cols, NAN), 3);
    on.gather_rows(half.view(), indices, out);
    on.convert(half.view(), all.view());
    CHECK_SAME(out.read(), gathered);
    CHECK_SAME(all.read(), converted);
  }
}

BACKEND_TEST("scatter_rows") {
  Random random(22);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array source = random.array(rows, cols);
    Array expected = random.array(rows + 10, cols);
    Placed<float> destination(on, expected, 1);
    std::vector<std::int32_t> indices(rows + 10);
    std::iota(indices.begin(), indices.end(), 0);
    for (std::size_t i = indices.size(); i > 1; --i) std::swap(indices[i - 1], indices[random.below(i)]);
    indices.resize(rows);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) expected(at(indices, i), j) = source(i, j);
    on.scatter_rows(Placed<float>(on, source, 2), indices, destination);
    CHECK_SAME(destination.read(), expected);
  }
}

BACKEND_TEST("scatter_add_rows, indices repeated") {
  Random random(23);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array source = random.array(rows, cols);
    const std::vector<std::int32_t> indices = random_indices(random, rows, 5);
    std::vector<float> weights(rows);
    for (float& weight : weights) weight = static_cast<float>(random.uniform(-1, 1));
    Array expected = random.array(5, cols);
    Placed<float> destination(on, expected, 1);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j)
        expected(at(indices, i), j) += static_cast<double>(weights[i]) * source(i, j);
    on.scatter_add_rows(Placed<float>(on, source, 2), indices, weights, destination);
    CHECK_CLOSE(destination.read(), expected, 1e-6, 1e-5);
  }
}

BACKEND_TEST("row_norms") {
  Random random(24);
  for (const auto& [rows, cols] : edge_shapes) {
    const Array x = random.array(rows, cols);
    Array expected(1, rows);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < cols; ++j) expected(0, i) += x(i, j) * x(i, j);
      expected(0, i) = std::sqrt(expected(0, i));
    }
    Placed<float> norms(on, Array(1, rows, NAN));
    on.row_norms(Placed<float>(on, x, 1), norms);
    if (cols != 0) CHECK_CLOSE(norms.read(), expected, 1e-6, 0);
  }
}
