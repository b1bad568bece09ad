// The second moment of the keys that a model uses on ordinary text.
#pragma once

#include <cstdint>
#include <memory>

#include "backend/matrix.h"

namespace lyaplock {

/// Sum of k k^T over keys k, [d, d], accumulated in float64, and how many keys there were. The *mean* of them is the C
/// of the papers (ROME, section 3.1; reference, section 5).
class SecondMoment {
 public:
  SecondMoment(std::shared_ptr<Backend> backend, std::size_t width);

  /// Adds every row of keys [n, d]. ErrorCode::shape for another width, ErrorCode::not_finite for NaN or infinity; the
  /// sum is then as it was.
  void add(ConstMatrixView<float> keys);
  void add(ConstMatrixView<double> keys);
  /// Adds the sum of another accumulator, of the same width, gathered elsewhere.
  void merge(const SecondMoment& other);

  /// C = sum / count, [d, d], both triangles. ErrorCode::invalid_argument before the first key.
  [[nodiscard]] Matrix<double> mean() const;

  [[nodiscard]] std::size_t width() const { return sum_.rows(); }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  template <class T>
  void check(ConstMatrixView<T> keys) const;

  std::shared_ptr<Backend> backend_;
  Matrix<double> sum_;  // lower triangle
  std::uint64_t count_ = 0;
};

}  // namespace lyaplock
