// Sequential editing of one layer.
#pragma once

#include <optional>

#include "base/cancellation.h"
#include "edit/dual_form.h"
#include "edit/primal_form.h"

namespace lyaplock {

enum class UpdateForm { dual, primal };

/// Figures of one update, float64.
struct UpdateReport {
  double preservation_loss;  // tr(D C D^T) after it, per corpus token
  double update_norm;        // ||D+ - D||, Frobenius
  double residual_norm;      // ||R||, Frobenius
  double solve_residual;     // relative residual of the linear system
  UpdateForm form;
  double flops;
};

/// The ledger of one layer's facts and the drift D [m, d] of its weight that serves them all: after every batch the
/// exact minimiser of the squared editing error over all facts plus μ times the preservation loss (LyapLock, equation
/// 13; reference, section 9). Earlier facts keep the values they really reached.
class LayerEditor {
 public:
  LayerEditor(std::shared_ptr<const KeySpace> space, std::size_t value_width);

  /// Adds a batch: keys [u, d], residuals [u, m] (wanted minus present output), and solves with the weight μ > 0.
  /// Without a form the one that costs fewer operations. Throws ErrorCode::shape, ErrorCode::not_finite,
  /// ErrorCode::invalid_argument (no facts, μ not positive), ErrorCode::not_positive_definite; the editor is then as it
  /// was.
  UpdateReport update(ConstMatrixView<double> keys, ConstMatrixView<double> residuals, double weight,
                      std::optional<UpdateForm> form, const Cancellation& cancellation);

  /// D [m, d]; zero before the first batch.
  [[nodiscard]] ConstMatrixView<double> drift() const { return drift_.view(); }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  /// What the last batch was meant to reach, Y [u, m] relative to W0; empty before it. With the ledger before it, this
  /// is all that cannot be recomputed.
  [[nodiscard]] ConstMatrixView<double> last_targets() const { return last_targets_.view(); }

  /// Puts back an earlier batch, in order: keys [u, d] and the values [u, m] it reached. Solves nothing.
  void replay(ConstMatrixView<double> keys, ConstMatrixView<double> values);
  /// Puts back the last batch by solving it as `update` did: targets as `last_targets` gave them, its weight and form.
  void replay_last(ConstMatrixView<double> keys, ConstMatrixView<double> targets, double weight, UpdateForm form);

  [[nodiscard]] std::size_t key_width() const { return space_->width(); }
  [[nodiscard]] std::size_t value_width() const { return drift_.rows(); }
  [[nodiscard]] std::size_t bytes() const;

 private:
  void check(ConstMatrixView<double> keys, ConstMatrixView<double> values, const char* name) const;
  [[nodiscard]] UpdateForm cheaper_form(std::size_t batch) const;
  Solution solve(ConstMatrixView<double> keys, ConstMatrixView<double> targets, double weight, UpdateForm form);
  void commit(ConstMatrixView<double> keys, Matrix<double> targets, Solution solution);

  std::shared_ptr<const KeySpace> space_;
  Ledger ledger_;
  DualForm dual_;
  PrimalForm primal_;
  Matrix<double> drift_;
  Matrix<double> last_targets_;
};

}  // namespace lyaplock
