// The space in which the preserved keys are white.
#pragma once

#include <memory>

#include "backend/matrix.h"

namespace lyaplock {

/// C = L L^T (mathematics of the engine, "The same update, in the space where the preserved keys are white"). Keys are
/// rows: whitened rows k L^-T have the inner products k C^-1 k'^T.
class KeySpace {
 public:
  /// Factors the symmetric covariance [d, d], of which the lower triangle is read. A positive `ridge` adds
  /// ridge * trace(C) / d to its diagonal first; nothing is added unasked.
  /// ErrorCode::shape if it is not square, ErrorCode::not_finite, ErrorCode::not_positive_definite with the pivot.
  static std::shared_ptr<const KeySpace> from_covariance(std::shared_ptr<Backend> backend,
                                                         ConstMatrixView<double> covariance, double ridge);

  /// k L^-T for every row of keys [n, d]; [n, d].
  [[nodiscard]] Matrix<double> whiten(ConstMatrixView<double> keys) const;
  /// k~ L^-1 for every row of whitened keys, which is k C^-1; [n, d].
  [[nodiscard]] Matrix<double> lift(ConstMatrixView<double> whitened) const;

  [[nodiscard]] std::size_t width() const { return factor_.rows(); }
  /// C with its ridge, [d, d], both triangles.
  [[nodiscard]] ConstMatrixView<double> covariance() const { return covariance_.view(); }
  /// Smallest and largest squared diagonal element of L. Their ratio bounds the condition number of C from below.
  [[nodiscard]] double smallest_pivot() const { return smallest_pivot_; }
  [[nodiscard]] double largest_pivot() const { return largest_pivot_; }
  /// What was added to every diagonal element.
  [[nodiscard]] double ridge() const { return ridge_; }
  [[nodiscard]] const std::shared_ptr<Backend>& backend() const { return backend_; }

 private:
  KeySpace() = default;

  std::shared_ptr<Backend> backend_;
  Matrix<double> covariance_;
  Matrix<double> factor_;  // L in the lower triangle
  double smallest_pivot_ = 0;
  double largest_pivot_ = 0;
  double ridge_ = 0;
};

}  // namespace lyaplock
