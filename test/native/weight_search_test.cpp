#include "edit/weight_search.h"

#include <vector>

#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

/// loss(μ) = sum p g / (g + μ)² over a spectrum.
struct Spectrum {
  std::vector<double> g, p;
  [[nodiscard]] double loss(double weight) const {
    double sum = 0;
    for (std::size_t j = 0; j < g.size(); ++j) sum += p[j] * g[j] / ((g[j] + weight) * (g[j] + weight));
    return sum;
  }
  [[nodiscard]] double slope(double weight) const {
    double sum = 0;
    for (std::size_t j = 0; j < g.size(); ++j) sum -= 2 * p[j] * g[j] / std::pow(g[j] + weight, 3);
    return sum;
  }
};

/// Eigenvalues over `decades`, all parts of the values alike or nearly so.
Spectrum spectrum(Random& random, double decades) {
  Spectrum out;
  for (int j = 0; j < 40; ++j) {
    out.g.push_back(std::pow(10.0, random.uniform(-decades / 2, decades / 2)));
    out.p.push_back(random.uniform(0.1, 10));
  }
  return out;
}

WeightSearch found(const Spectrum& of, const WeightChoice& choice, double start) {
  WeightSearch search(choice, start);
  while (!search.is_met(of.loss(search.weight()))) search.go_on(of.slope(search.weight()));
  return search;
}

}  // namespace

TEST("a search without a limit takes the first weight") {
  WeightSearch search({.weight = 3}, 3);
  CHECK(search.is_met(1e300));
  CHECK(search.weight() == 3);
  CHECK(search.trials() == 1);
}

TEST("a search finds the smallest weight within the limit in a few trials, from any start") {
  Random random(31);
  for (const double decades : {0.0, 2.0, 6.0, 12.0})
    for (const double share : {1e-12, 1e-3, 0.3, 0.99, 0.9996})
      for (const double start : {1.0, 1.1, 1e3, 1e9}) {
        const Spectrum of = spectrum(random, decades);
        const double limit = share * of.loss(1e-2);
        const WeightSearch search = found(of, {.weight = 1e-2, .limit = limit}, 1e-2 * start);
        CHECK(of.loss(search.weight()) <= limit);
        CHECK(of.loss(search.weight()) >= (1 - WeightSearch::tolerance) * limit);
        CHECK(search.trials() <= (decades > 6 ? 15 : 9));
      }
}

TEST("a search ends at the least weight where that will do") {
  Random random(32);
  const Spectrum of = spectrum(random, 4);
  for (const double start : {1.0, 2.0, 1e6}) {
    const WeightSearch search = found(of, {.weight = 1, .limit = 1.001 * of.loss(1)}, start);
    CHECK(search.weight() == 1);
    CHECK(search.trials() <= 6);
  }
}

TEST("a search ends even where losses and slopes are noise") {
  Random random(33);
  const Spectrum of = spectrum(random, 6);
  for (int repeat = 0; repeat < 200; ++repeat) {
    const double limit = of.loss(1) * std::pow(10.0, random.uniform(-9, 0));
    WeightSearch search({.weight = 1, .limit = limit}, 1);
    double loss = of.loss(1);
    while (!search.is_met(loss)) {
      CHECK(search.trials() < 100);
      const double slopes[] = {0, -0.0, NAN, 1, -INFINITY, of.slope(search.weight()), -1e-300};
      search.go_on(slopes[random.below(std::size(slopes))]);
      // With noise of a hundredth; the same for the same weight.
      const double wave = std::sin(1e5 * std::log(search.weight()));
      loss = of.loss(search.weight()) * (1 + 0.01 * wave);
    }
    CHECK(loss <= limit);
  }
}

TEST("a search says that no weight keeps a limit, and that a loss is not a number") {
  const Spectrum of{.g = {2}, .p = {5}};
  for (const double limit : {0.0, 1e-320}) {
    const std::string message = CHECK_ERROR(ErrorCode::invalid_argument, found(of, {.weight = 1, .limit = limit}, 1));
    CHECK(message.find("No weight") != std::string::npos);
  }
  CHECK(found({.g = {2}, .p = {0}}, {.weight = 1, .limit = 0}, 1).trials() == 1);
  WeightSearch search({.weight = 1, .limit = 1}, 1);
  CHECK_ERROR(ErrorCode::not_finite, static_cast<void>(search.is_met(NAN)));
}
