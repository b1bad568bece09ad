// The second moment of the keys that a model uses on ordinary text.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "backend/matrix.h"

namespace lyaplock {

/// In which precision products of keys are formed. `float32` sums blocks of some thousand keys in float32, about twice
/// as fast, with a relative error of about 1e-6; the sum over blocks is float64 in both.
enum class MomentPrecision { float64, float32 };

/// Sum of k k^T over keys k, [d, d] float64, and how many keys there were. The *mean* of them is the C of the papers
/// (ROME, section 3.1; reference, section 5).
///
/// Keys wait in a buffer until they are a block, so that few of them at a time cost no pass over the sum each. Blocks
/// are counted from the last flush: where keys are cut into calls of `add` does not change a bit of the sum.
class SecondMoment {
 public:
  SecondMoment(std::shared_ptr<Backend> backend, std::size_t width, MomentPrecision precision);

  /// One that goes on from a sum [d, d] over `count` keys gathered before. ErrorCode::shape unless it is square,
  /// ErrorCode::not_finite, ErrorCode::not_symmetric beyond the rounding of float32.
  static std::shared_ptr<SecondMoment> from_sum(std::shared_ptr<Backend> backend, ConstMatrixView<double> sum,
                                                std::uint64_t count, MomentPrecision precision);

  /// Adds every row of keys [n, d]. ErrorCode::shape for another width, ErrorCode::not_finite for NaN or infinity; the
  /// sum is then as it was.
  void add(ConstMatrixView<float> keys);
  void add(ConstMatrixView<double> keys);
  /// Adds the sum of another accumulator, of the same width and precision, gathered elsewhere.
  void merge(SecondMoment& other);

  /// Sums up the keys that wait. Everything that reads the sum does so first.
  void flush();
  /// The sum of k k^T, [d, d], both triangles. ErrorCode::not_finite if products of keys were beyond their precision.
  [[nodiscard]] Matrix<double> sum();
  /// C = sum / count, [d, d], both triangles. ErrorCode::invalid_argument before the first key, or as `sum`.
  [[nodiscard]] Matrix<double> mean();

  [[nodiscard]] std::size_t width() const { return sum_.rows(); }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] MomentPrecision precision() const { return precision_; }

 private:
  template <class Key>
  void check_and_add(ConstMatrixView<Key> keys);
  template <class Key, class T>
  void add_blocks(ConstMatrixView<Key> keys, Matrix<T>& waiting);
  void accumulate(ConstMatrixView<double> keys);
  void accumulate(ConstMatrixView<float> keys);
  void make_room();

  std::shared_ptr<Backend> backend_;
  MomentPrecision precision_;
  Matrix<double> sum_;                    // lower triangle
  std::atomic<std::uint64_t> count_ = 0;  // may be asked for while keys are added

  // Made at the first key. Keys that wait are the first rows of the one that has the precision asked for.
  Matrix<double> wide_;
  Matrix<float> narrow_;
  std::size_t waiting_ = 0;
  Matrix<float> block_sum_;  // of one block of float32 keys, [d, d], lower triangle
  Matrix<double> band_;      // some rows of it on their way to the sum
};

}  // namespace lyaplock
