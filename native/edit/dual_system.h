// The inner products of whitened keys, and their factor.
#pragma once

#include <memory>

#include "base/cancellation.h"
#include "edit/key_space.h"
#include "edit/lower_triangle.h"

namespace lyaplock {

/// How the rows of one batch b couple to the rows above them in the factor L of G + μ I:
/// L^-1 has the rows L_bb^-1 [-coupling, I].
struct Border {
  std::size_t begin = 0;
  std::size_t end = 0;
  Matrix<double> coupling;  // L_b0 L_00^-1, [u, begin]
  Matrix<double> diagonal;  // L_bb, [u, u]
};

/// G + μ I, where G = K~ K~^T [n, n] holds the inner products of whitened keys K~ [n, rank], and its Cholesky factor L.
/// While the weight μ stays the same, new rows border the factor: n² u operations in place of n³/3.
class DualSystem {
 public:
  explicit DualSystem(std::shared_ptr<const KeySpace> space);

  /// Adds rows [u, rank] of whitened keys.
  void add(ConstMatrixView<double> whitened);
  void drop_after(std::size_t rows);
  /// Forgets everything but the whitened keys [n, rank], which it returns.
  BlockedRows release();

  /// True if the factor of the first `rows` rows is there for this weight.
  [[nodiscard]] bool is_factored(double weight, std::size_t rows) const {
    return weight == weight_ && rows > 0 && factor_.rows() == rows;
  }
  /// Factors the rows up to `end` that are not factored for this weight yet. ErrorCode::not_positive_definite names the
  /// row; what is factored then ends before it.
  void factor(double weight, std::size_t end, const Cancellation& cancellation);
  void forget_factor() { factor_.shrink(0); }

  /// For factored rows [begin, end).
  [[nodiscard]] Border border(std::size_t begin, std::size_t end) const;
  /// L_bb^-1 (x_b - coupling x_0), [u, cols]: rows [begin, end) of L^-1 x for x [n, cols].
  [[nodiscard]] Matrix<double> solve_rows(const Border& border, const BlockedRows& x) const;

  /// x [n, m] := (G + μ I)^-1 x.
  void solve(BlockedRows& x) const;
  /// (G + μ I) x for a few columns x [n, k].
  [[nodiscard]] Matrix<double> multiply(ConstMatrixView<double> x) const;

  [[nodiscard]] const BlockedRows& whitened() const { return whitened_; }
  [[nodiscard]] std::size_t rows() const { return whitened_.rows(); }
  [[nodiscard]] double weight() const { return weight_; }
  /// L, of the rows that are factored.
  [[nodiscard]] const LowerTriangle& lower() const { return factor_; }
  [[nodiscard]] std::size_t bytes() const { return whitened_.bytes() + gram_.bytes() + factor_.bytes(); }

 private:
  void factor_piece(double weight, std::size_t end);

  std::shared_ptr<const KeySpace> space_;
  BlockedRows whitened_;
  LowerTriangle gram_;  // with the upper triangle of its diagonal blocks
  LowerTriangle factor_;
  double weight_ = 0;  // that of the factor
};

}  // namespace lyaplock
