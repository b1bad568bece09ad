// The space in which the preserved keys are white.
#pragma once

#include <memory>

#include "backend/matrix.h"

namespace lyaplock {

/// A map of keys [n, d] to whitened keys [n, rank], rows both, and back. Made from the covariance C of the preserved
/// keys in one of two ways:
///
///   * C = L L^T (mathematics of the engine, "The same update, in the space where the preserved keys are white"):
///     whitened rows k L^-T have the inner products k C^-1 k'^T, rank = d, and a drift D has the loss ||D L||².
///   * its null space (AlphaEdit; reference, section 10.5): the eigenvectors U [rank, d] whose eigenvalue is below a
///     threshold; whitened rows are k U^T. A drift then touches nothing else.
///
/// Immutable, and shared by those who use it.
class KeySpace {
 public:
  /// Factors the symmetric covariance [d, d]. A positive `ridge` adds ridge * trace(C) / d to its diagonal first;
  /// nothing is added unasked. Tells apart ErrorCode::shape (not square), not_finite, not_symmetric,
  /// not_positive_definite (indefinite, or singular to working precision, with the row), ill_conditioned.
  static std::shared_ptr<const KeySpace> from_covariance(std::shared_ptr<Backend> backend,
                                                         ConstMatrixView<double> covariance, double ridge);
  /// The same from a factor L [d, d] made before, of which the lower triangle is read; `ridge` is what was added to
  /// every diagonal element of C. ErrorCode::shape, not_finite, invalid_argument unless its diagonal is positive.
  static std::shared_ptr<const KeySpace> from_factor(std::shared_ptr<Backend> backend, ConstMatrixView<double> factor,
                                                     double ridge);
  /// Keeps the directions of eigenvalues below `threshold` > 0. ErrorCode::shape, not_finite, not_symmetric;
  /// invalid_argument if there is no such direction.
  static std::shared_ptr<const KeySpace> from_null_space(std::shared_ptr<Backend> backend,
                                                         ConstMatrixView<double> covariance, double threshold);

  /// [n, d] to [n, rank].
  [[nodiscard]] Matrix<double> whiten(ConstMatrixView<double> keys) const;
  /// [n, rank] to [n, d]: k~ L^-1, which is k C^-1; or k~ U.
  [[nodiscard]] Matrix<double> lift(ConstMatrixView<double> whitened) const;
  /// The same, to `out` [n, d].
  void lift(ConstMatrixView<double> whitened, MatrixView<double> out) const;
  /// tr(D C D^T) of the drift D = lift(D~) of whitened rows D~ [m, rank].
  [[nodiscard]] double preservation_loss(ConstMatrixView<double> whitened_drift) const;
  /// tr(D C D^T) of a drift D [m, d] itself, ridge included; of a null space, a drift that stays in it.
  [[nodiscard]] double drift_loss(ConstMatrixView<double> drift) const;

  /// L, [d, d], with zeros above its diagonal; the key space's own memory. ErrorCode::invalid_argument for a null
  /// space.
  [[nodiscard]] Matrix<double> factor() const;

  [[nodiscard]] std::size_t width() const { return basis_.cols(); }
  [[nodiscard]] std::size_t rank() const { return basis_.rows(); }
  /// True for C = L L^T: the loss of a drift is then the squared norm of its whitened rows.
  [[nodiscard]] bool is_white() const { return eigenvalues_.empty(); }
  /// Operations that whiten or lift one row.
  [[nodiscard]] double flops_of_row() const;

  /// Largest over smallest eigenvalue of C (with its ridge): exact for a null space, else an estimate by a few steps of
  /// power iteration, from below and usually within a factor of two. Infinite where the smallest is not positive.
  [[nodiscard]] double condition() const { return condition_; }
  /// Smallest and largest squared diagonal element of L; 0 for a null space.
  [[nodiscard]] double smallest_pivot() const { return smallest_pivot_; }
  [[nodiscard]] double largest_pivot() const { return largest_pivot_; }
  /// What was added to every diagonal element of C.
  [[nodiscard]] double ridge() const { return ridge_; }
  [[nodiscard]] std::size_t bytes() const { return basis_.bytes() + eigenvalues_.bytes(); }
  [[nodiscard]] const std::shared_ptr<Backend>& backend() const { return backend_; }

 private:
  KeySpace() = default;
  void take_factor(Matrix<double> factor);
  void check_width(ConstMatrixView<double> rows, std::size_t width, const char* name) const;

  std::shared_ptr<Backend> backend_;
  Matrix<double> basis_;        // L with zeros above its diagonal, or U
  Matrix<double> eigenvalues_;  // of U's rows, [1, rank]; empty for L
  double condition_ = 1;
  double smallest_pivot_ = 0;
  double largest_pivot_ = 0;
  double ridge_ = 0;
};

}  // namespace lyaplock
