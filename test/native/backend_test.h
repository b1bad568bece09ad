// What the conformance tests of a backend share. A backend is put through them by adding it to backends().
#pragma once

#include <cstdint>
#include <random>

#include "backend/backend.h"
#include "backend/matrix.h"
#include "check.h"

namespace lyaplock::test {

struct NamedBackend {
  std::string name;
  std::function<std::shared_ptr<Backend>()> create;
};

/// Every backend that this program was built with.
const std::vector<NamedBackend>& backends();

/// Registers body(backend) once for every backend.
struct BackendRegistration {
  BackendRegistration(const std::string& name, void (*body)(Backend&)) {
    for (const NamedBackend& backend : backends())
      registry().push_back({name + " on " + backend.name, [create = backend.create, body] { body(*create()); }});
  }
};

/// BACKEND_TEST("what holds") { ... } with a Backend& `on`.
#define BACKEND_TEST(name)                                                                                             \
  static void CONCATENATE(test_, __LINE__)(::lyaplock::Backend & on);                                                  \
  static const ::lyaplock::test::BackendRegistration CONCATENATE(registered_, __LINE__)(name,                          \
                                                                                        CONCATENATE(test_, __LINE__)); \
  static void CONCATENATE(test_, __LINE__)([[maybe_unused]] ::lyaplock::Backend & on)

/// A host matrix of doubles: what the witnesses compute with.
struct Array {
  Array() = default;
  Array(std::size_t rows, std::size_t cols, double value = 0) : rows(rows), cols(cols), values(rows * cols, value) {}
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<double> values;
  double& operator()(std::size_t i, std::size_t j) { return values[i * cols + j]; }
  double operator()(std::size_t i, std::size_t j) const { return values[i * cols + j]; }
};

/// Seeded numbers, the same in every run and on every platform.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  /// Uniform in [low, high), representable in float32.
  double uniform(double low, double high) {
    return static_cast<double>(static_cast<float>(low + (high - low) * static_cast<double>(engine_()) / 4294967296.0));
  }
  /// 0 ... limit - 1.
  std::size_t below(std::size_t limit) { return engine_() % limit; }
  Array array(std::size_t rows, std::size_t cols, double low = -1, double high = 1) {
    Array out(rows, cols);
    for (double& value : out.values) value = uniform(low, high);
    return out;
  }

 private:
  std::mt19937 engine_;
};

/// An Array in the memory of a backend, `gap` unused columns before and after each row. What is in the gaps must stay:
/// read() checks it.
template <class T>
class Placed {
 public:
  Placed(Backend& on, const Array& content, std::size_t gap = 0)
      : on_(on), rows_(content.rows), cols_(content.cols), gap_(gap), memory_(on, rows_, stride()) {
    std::vector<T> host(rows_ * stride(), static_cast<T>(in_gaps));
    for (std::size_t i = 0; i < rows_; ++i)
      for (std::size_t j = 0; j < cols_; ++j) host[i * stride() + gap_ + j] = static_cast<T>(content(i, j));
    if (!host.empty()) on.upload(memory_.view().data, host.data(), host.size() * sizeof(T));
  }

  MatrixView<T> view() { return memory_.view().column_range(gap_, cols_); }
  operator MatrixView<T>() { return view(); }
  operator ConstMatrixView<T>() { return view(); }

  Array read() {
    std::vector<T> host(rows_ * stride());
    if (!host.empty()) on_.download(host.data(), memory_.view().data, host.size() * sizeof(T));
    Array content(rows_, cols_);
    for (std::size_t i = 0; i < rows_; ++i)
      for (std::size_t j = 0; j < stride(); ++j) {
        const double value = static_cast<double>(host[i * stride() + j]);
        if (j >= gap_ && j < gap_ + cols_)
          content(i, j - gap_) = value;
        else
          CHECK(value == in_gaps);
      }
    return content;
  }

 private:
  static constexpr double in_gaps = 777;
  [[nodiscard]] std::size_t stride() const { return cols_ + 2 * gap_; }

  Backend& on_;
  std::size_t rows_;
  std::size_t cols_;
  std::size_t gap_;
  Matrix<T> memory_;
};

/// Asks that |actual - expected| <= absolute + relative |expected| everywhere; NaN is equal to NaN alone. Says where
/// the tolerance was exceeded most.
inline void expect_close(const char* file, int line, const Array& actual, const Array& expected, double relative,
                         double absolute) {
  if (actual.rows != expected.rows || actual.cols != expected.cols) fail(file, line, "shapes differ");
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < actual.values.size(); ++i) {
    const double a = actual.values[i];
    const double e = expected.values[i];
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    const double share = std::abs(a - e) / (absolute + relative * std::abs(e));
    if (!(share <= worst)) {  // NaN comes here and stays
      worst = std::isnan(share) ? INFINITY : share;
      where = i;
    }
  }
  if (worst <= 1) return;
  fail(file, line,
       "element " + std::to_string(where) + " is " + std::to_string(actual.values[where]) + ", expected " +
           std::to_string(expected.values[where]) + ", " + std::to_string(worst) + " times the tolerance");
}

#define CHECK_CLOSE(actual, expected, relative, absolute) \
  ::lyaplock::test::expect_close(__FILE__, __LINE__, actual, expected, relative, absolute)
#define CHECK_SAME(actual, expected) CHECK_CLOSE(actual, expected, 0.0, 0.0)

/// Shapes [rows, cols] that have caught mistakes before: nothing, one, not a multiple of a register, more than a block.
inline const std::vector<std::pair<std::size_t, std::size_t>> edge_shapes = {
    {0, 5}, {5, 0}, {1, 1}, {1, 7}, {3, 16}, {5, 33}, {2, 257}, {130, 64}, {300, 301}};

/// The gradient of sum(weights * f(x)) to x by central differences, f in float64.
inline Array finite_differences(const std::function<Array(const Array&)>& f, Array x, const Array& weights,
                                double step = 1e-5) {
  const auto weighted = [&](const Array& at) {
    const Array y = f(at);
    double sum = 0;
    for (std::size_t i = 0; i < y.values.size(); ++i) sum += y.values[i] * weights.values[i];
    return sum;
  };
  Array gradient(x.rows, x.cols);
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double at = x.values[i];
    x.values[i] = at + step;
    const double above = weighted(x);
    x.values[i] = at - step;
    const double below = weighted(x);
    x.values[i] = at;
    gradient.values[i] = (above - below) / (2 * step);
  }
  return gradient;
}

}  // namespace lyaplock::test
