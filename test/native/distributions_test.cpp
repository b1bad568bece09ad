#include <algorithm>
#include <numeric>

#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

Array log_softmax(const Array& logits) {
  Array out = logits;
  for (std::size_t i = 0; i < logits.rows; ++i) {
    double largest = -INFINITY;
    for (std::size_t j = 0; j < logits.cols; ++j) largest = std::max(largest, logits(i, j));
    double sum = 0;
    for (std::size_t j = 0; j < logits.cols; ++j) sum += std::exp(logits(i, j) - largest);
    for (std::size_t j = 0; j < logits.cols; ++j) out(i, j) = logits(i, j) - largest - std::log(sum);
  }
  return out;
}

/// KL(softmax(logits) ‖ exp(reference)), [rows, 1].
Array divergence(const Array& logits, const Array& reference) {
  const Array log_p = log_softmax(logits);
  Array out(logits.rows, 1);
  for (std::size_t i = 0; i < logits.rows; ++i)
    for (std::size_t j = 0; j < logits.cols; ++j) out(i, 0) += std::exp(log_p(i, j)) * (log_p(i, j) - reference(i, j));
  return out;
}

/// Rows, vocabulary and spread of logits.
struct Case {
  std::size_t rows, vocabulary;
  double spread;
};
const std::vector<Case> cases = {{0, 5, 1},     {1, 1, 1},      {2, 2, 30},  {7, 33, 5},
                                 {3, 1000, 10}, {2, 50257, 15}, {40, 300, 3}};

std::vector<std::int32_t> random_indices(Random& random, std::size_t count, std::size_t limit) {
  std::vector<std::int32_t> indices(count);
  for (std::int32_t& index : indices) index = static_cast<std::int32_t>(random.below(limit));
  return indices;
}

std::vector<float> random_weights(Random& random, std::size_t count) {
  std::vector<float> weights(count);
  for (float& weight : weights) weight = static_cast<float>(random.uniform(-1, 2));
  return weights;
}

}  // namespace

BACKEND_TEST("log_softmax") {
  Random random(71);
  for (const auto [rows, vocabulary, spread] : cases)
    for (const double offset : {0.0, 1e4, -1e4}) {
      const Array logits = random.array(rows, vocabulary, offset - spread, offset + spread);
      Placed<float> out(on, Array(rows, vocabulary, NAN), 1);
      on.log_softmax(Placed<float>(on, logits, 2), out);
      CHECK_CLOSE(out.read(), log_softmax(logits), 1e-6, 1e-6);
    }
}

BACKEND_TEST("cross_entropy gives losses and leaves gradients") {
  Random random(72);
  for (const auto [rows, vocabulary, spread] : cases) {
    const Array logits = random.array(rows, vocabulary, -spread, spread);
    const std::vector<std::int32_t> targets = random_indices(random, rows, vocabulary);
    const std::vector<float> weights = random_weights(random, rows);
    const Array log_p = log_softmax(logits);
    Array losses(1, rows);
    Array gradient(rows, vocabulary);
    for (std::size_t i = 0; i < rows; ++i) {
      const auto target = static_cast<std::size_t>(targets[i]);
      losses(0, i) = -log_p(i, target);
      for (std::size_t j = 0; j < vocabulary; ++j)
        gradient(i, j) = static_cast<double>(weights[i]) * (std::exp(log_p(i, j)) - (j == target ? 1 : 0));
    }
    Placed<float> placed(on, logits, 1);
    Placed<float> placed_losses(on, Array(1, rows, NAN));
    on.cross_entropy(targets, weights, placed, placed_losses);
    CHECK_CLOSE(placed_losses.read(), losses, 1e-6, 2e-7);
    CHECK_CLOSE(placed.read(), gradient, 2e-6, 2e-7);
  }
}

BACKEND_TEST("kullback_leibler gives divergences and leaves gradients") {
  Random random(73);
  for (const auto [rows, vocabulary, spread] : cases) {
    const Array logits = random.array(rows, vocabulary, -spread, spread);
    const Array reference = log_softmax(random.array(rows, vocabulary, -spread, spread));
    const std::vector<float> weights = random_weights(random, rows);
    const Array divergences = divergence(logits, reference);
    const Array log_p = log_softmax(logits);
    Array expected(1, rows);
    Array gradient(rows, vocabulary);
    for (std::size_t i = 0; i < rows; ++i) {
      expected(0, i) = divergences(i, 0);
      for (std::size_t j = 0; j < vocabulary; ++j)
        gradient(i, j) = static_cast<double>(weights[i]) * std::exp(log_p(i, j)) *
                         (log_p(i, j) - reference(i, j) - divergences(i, 0));
    }
    Placed<float> placed(on, logits, 1);
    Placed<float> placed_divergences(on, Array(1, rows, NAN));
    on.kullback_leibler(Placed<float>(on, reference, 2), weights, placed, placed_divergences);
    CHECK_CLOSE(placed_divergences.read(), expected, 1e-6, 2e-6);
    CHECK_CLOSE(placed.read(), gradient, 1e-5, 2e-6);
  }
}

TEST("the gradient of the divergence agrees with finite differences") {
  Random random(74);
  const Array logits = random.array(3, 9, -2, 2);
  const Array reference = log_softmax(random.array(3, 9, -2, 2));
  const Array log_p = log_softmax(logits);
  const Array divergences = divergence(logits, reference);
  Array gradient = logits;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 9; ++j)
      gradient(i, j) = std::exp(log_p(i, j)) * (log_p(i, j) - reference(i, j) - divergences(i, 0));
  const Array expected =
      finite_differences([&](const Array& at) { return divergence(at, reference); }, logits, Array(3, 1, 1));
  CHECK_CLOSE(gradient, expected, 1e-7, 1e-9);
}

BACKEND_TEST("kullback_leibler of a distribution from itself is nothing") {
  Random random(75);
  const Array logits = random.array(4, 5000, -10, 10);
  Placed<float> placed(on, logits);
  Placed<float> reference(on, logits);
  Placed<float> divergences(on, Array(1, 4, NAN));
  on.log_softmax(placed, reference);
  on.kullback_leibler(reference, std::vector<float>(4, 1.0F), placed, divergences);
  CHECK_SAME(divergences.read(), Array(1, 4));
  CHECK_SAME(placed.read(), Array(4, 5000));
}

BACKEND_TEST("tokens that cannot come (logit -inf) count nothing") {
  Random random(76);
  Array logits = random.array(2, 100, -3, 3);
  Array reference = log_softmax(random.array(2, 100, -3, 3));
  for (std::size_t j = 0; j < 100; j += 3) logits(0, j) = reference(0, j) = -INFINITY;
  Placed<float> out(on, logits);
  on.log_softmax(Placed<float>(on, logits), out);
  CHECK_CLOSE(out.read(), log_softmax(logits), 1e-6, 1e-6);
  Placed<float> divergences(on, Array(1, 2, NAN));
  Placed<float> placed(on, logits);
  on.kullback_leibler(Placed<float>(on, reference), std::vector<float>(2, 1.0F), placed, divergences);
  CHECK(on.all_finite(placed.view()));
  CHECK(on.all_finite(divergences.view()));
}

BACKEND_TEST("NaN in a row of logits is NaN in its loss, and in no other's") {
  Random random(77);
  Array logits = random.array(3, 300);
  logits(1, 200) = NAN;
  const std::vector<std::int32_t> targets = {5, 6, 7};
  const auto check = [](const Array& losses) {
    CHECK(std::isfinite(losses(0, 0)) && std::isnan(losses(0, 1)) && std::isfinite(losses(0, 2)));
  };
  Placed<float> losses(on, Array(1, 3));
  std::vector<std::int32_t> greedy(3);
  on.score(Placed<float>(on, logits), std::vector<std::int32_t>{0, 1, 2}, targets, losses, greedy);
  check(losses.read());
  on.kullback_leibler(Placed<float>(on, log_softmax(random.array(3, 300))), std::vector<float>(3, 1.0F),
                      Placed<float>(on, logits), losses);
  check(losses.read());
  on.cross_entropy(targets, std::vector<float>(3, 1.0F), Placed<float>(on, logits), losses);
  check(losses.read());
}

BACKEND_TEST("score gives losses and the first of the likeliest tokens") {
  Random random(78);
  for (const auto [rows, vocabulary, spread] : cases) {
    if (rows == 0) continue;
    // Whole numbers, so that the largest comes more than once.
    Array logits = random.array(rows, vocabulary, -spread, spread);
    for (double& logit : logits.values) logit = std::round(logit);
    const std::size_t queries = 2 * rows + 1;
    const std::vector<std::int32_t> which = random_indices(random, queries, rows);
    const std::vector<std::int32_t> targets = random_indices(random, queries, vocabulary);
    const Array log_p = log_softmax(logits);
    Array expected(1, queries);
    Placed<float> losses(on, Array(1, queries, NAN));
    std::vector<std::int32_t> greedy(queries, -1);
    on.score(Placed<float>(on, logits, 1), which, targets, losses, greedy);
    for (std::size_t j = 0; j < queries; ++j) {
      const auto row = static_cast<std::size_t>(which[j]);
      expected(0, j) = -log_p(row, static_cast<std::size_t>(targets[j]));
      const auto begin = logits.values.begin() + static_cast<std::ptrdiff_t>(row * vocabulary);
      CHECK(greedy[j] == std::max_element(begin, begin + static_cast<std::ptrdiff_t>(vocabulary)) - begin);
    }
    CHECK_CLOSE(losses.read(), expected, 1e-6, 1e-6);
  }
  Placed<float> nothing(on, Array(1, 0));
  on.score(Placed<float>(on, Array(2, 3)), {}, {}, nothing, {});
}

BACKEND_TEST("top_k ranks by probability, then by id") {
  Random random(79);
  for (const auto [rows, vocabulary, spread] : cases)
    for (const std::size_t wanted : {std::size_t{0}, std::size_t{1}, std::size_t{5}, vocabulary}) {
      const std::size_t k = std::min(wanted, vocabulary);
      Array logits = random.array(rows, vocabulary, -spread, spread);
      if (vocabulary < 2000)
        for (double& logit : logits.values) logit = std::round(logit);
      std::vector<float> probabilities(rows * k);
      std::vector<std::int32_t> ids(rows * k);
      on.top_k(Placed<float>(on, logits, 1), k, probabilities, ids);
      const Array log_p = log_softmax(logits);
      for (std::size_t i = 0; i < rows; ++i) {
        std::vector<std::int32_t> order(vocabulary);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
          return logits(i, static_cast<std::size_t>(a)) > logits(i, static_cast<std::size_t>(b));
        });
        for (std::size_t rank = 0; rank < k; ++rank) {
          CHECK(ids[i * k + rank] == order[rank]);
          const double p = std::exp(log_p(i, static_cast<std::size_t>(order[rank])));
          CHECK(std::abs(static_cast<double>(probabilities[i * k + rank]) - p) <= 1e-9 + 1e-5 * p);
        }
      }
    }
}
