// The update as a system of the size of the key space.
#pragma once

#include <memory>

#include "base/cancellation.h"
#include "edit/key_space.h"
#include "edit/ledger.h"
#include "edit/solution.h"
#include "edit/weight_search.h"

namespace lyaplock {

/// In whitened coordinates D~ (S + μ I) = N, with S = sum k~ k~^T [rank, rank] and N = sum y k~^T [m, rank] over all
/// facts; D = lift(D~). Cheaper than the dual form once there are about as many facts as the keys are wide; its cost no
/// longer grows with them.
class PrimalForm {
 public:
  /// `keeps_values`: whether past facts have values to keep (N), or keys alone.
  PrimalForm(std::shared_ptr<const KeySpace> space, std::size_t value_width, bool keeps_values);

  /// As DualForm::solve, with the same result up to rounding; writes D [m, d].
  Solution solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> targets,
                 WeightSearch& search, MatrixView<double> drift, const Cancellation& cancellation);
  /// As DualChange::solve, with the same result up to rounding, for μ > 0.
  ChangeSolution solve_change(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> residuals,
                              double weight, const Cancellation& cancellation);

  /// Takes in the facts that came to the ledger since the last call; the first time all there are, whose whitened keys
  /// may be at hand.
  void catch_up(const Ledger& past, const BlockedRows* whitened);
  /// Whether it has taken in what there was, be it nothing.
  [[nodiscard]] bool is_begun() const { return !key_moment_.empty(); }
  void clear();
  [[nodiscard]] std::size_t bytes() const { return key_moment_.bytes() + value_key_.bytes(); }

 private:
  struct System {
    Matrix<double> factor;   // of S + μ I with the batch in it
    Matrix<double> product;  // (S + μ I) V for the probes V
  };
  [[nodiscard]] System empty_system() const;
  void assemble(System& system, ConstMatrixView<double> whitened, double weight,
                const Cancellation& cancellation) const;
  void check_minor(std::size_t minor, double weight) const;
  void factor(System& system, ConstMatrixView<double> whitened, double weight, const Cancellation& cancellation) const;
  void fold(ConstMatrixView<double> whitened, ConstMatrixView<double> values);

  std::shared_ptr<const KeySpace> space_;
  std::size_t value_width_;
  bool keeps_values_;
  Matrix<double> key_moment_;  // S of the first facts_ facts, lower triangle; empty until the form is first used
  Matrix<double> value_key_;   // N of the same
  std::size_t facts_ = 0;
};

}  // namespace lyaplock
