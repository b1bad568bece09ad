// Sequential editing of one layer.
#pragma once

#include <atomic>
#include <optional>

#include "base/cancellation.h"
#include "edit/dual_change.h"
#include "edit/dual_form.h"
#include "edit/primal_form.h"
#include "edit/update_form.h"

namespace lyaplock {

/// Figures of one update, float64.
struct UpdateReport {
  double preservation_loss;  // tr(D C D^T) after it, per corpus token
  double update_norm;        // ||D+ - D||, Frobenius
  double residual_norm;      // ||R||, Frobenius
  double solve_residual;     // relative residual of the linear system, estimated by probes (edit/probes.h)
  UpdateForm form;
  bool bordered;  // whether the factor of the update before was gone on from
  double weight;  // μ it was solved with
  int trials;     // weights it was solved with until the loss was within its limit; 1 without one
  double flops;   // of products, factors and solves that were really made
};

/// Where the solution stands: with the ledger, all that cannot be computed again to the same bits. The last updates
/// form a chain in which each goes on from the one before.
struct Chain {
  double weight;      // μ of the last update
  UpdateForm form;    // and its form
  std::size_t begin;  // facts in the ledger before the first update of the chain
};

/// The facts of one layer and the drift D [m, d] of its weight that serves them.
///
///   * Memory::values: after every batch D is the exact minimiser of the squared editing error over all facts plus μ
///     times the preservation loss (LyapLock, equation 13; reference, section 9). Earlier facts keep the values they
///     really reached.
///   * Memory::keys, Memory::none: every batch adds the exact minimiser of its own editing error plus μ times the loss
///     of the change, and with keys the error at earlier keys (MEMIT, equation 14; reference,
///     sections 10.1, 10.2, 10.5).
class LayerEditor {
 public:
  LayerEditor(std::shared_ptr<const KeySpace> space, std::size_t value_width, Memory memory);

  /// Takes in a batch: keys [u, d], residuals [u, m] (wanted minus present output), and solves with the weight μ > 0
  /// (μ = 0 too, with Memory::none: then the residuals are met exactly). With a limit on the loss, which takes
  /// Memory::values and a white key space, μ is the smallest from there on whose loss is within it, to
  /// WeightSearch::tolerance; the solution is that of an update with this μ, to the bit. Without a form the one that
  /// costs fewer operations. With Memory::keys the batch is not remembered: see `remember`. Throws ErrorCode::shape,
  /// not_finite, invalid_argument (no facts, μ not positive, a limit that no μ keeps), not_positive_definite, aborted;
  /// the editor is then as it was.
  UpdateReport update(ConstMatrixView<double> keys, ConstMatrixView<double> residuals, const WeightChoice& choice,
                      std::optional<UpdateForm> form, const Cancellation& cancellation);
  /// With Memory::keys: these keys [u, d] stay. The published methods read the keys of a batch again for this once it
  /// is in the weights of all layers; as a layer's keys depend on the layers below it alone, which are final when it is
  /// solved for, those it was solved with are the same.
  void remember(ConstMatrixView<double> keys);

  /// D [m, d]. It shares memory with the editor, which will not write to it any more.
  [[nodiscard]] Matrix<double> drift() const { return drift_.share(); }
  /// What the last update changed of D, likewise; zero before the first, and after one that failed.
  [[nodiscard]] Matrix<double> delta() const;
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] Memory memory() const { return memory_; }

  // State of Memory::values: the ledger and the chain. A fresh editor that is given the chain and then every batch of
  // the ledger in order solves those of the chain again, and goes on as the first would have.
  [[nodiscard]] const std::optional<Chain>& chain() const { return chain_; }
  void restore(const Chain& chain, std::size_t facts);
  /// keys [u, d]; targets and values [u, m] as in the ledger.
  void replay(ConstMatrixView<double> keys, ConstMatrixView<double> targets, ConstMatrixView<double> values,
              const Cancellation& cancellation);

  // State of the others: remembered keys, D, and D in whitened coordinates [m, rank].
  [[nodiscard]] Matrix<double> whitened_drift() const { return whitened_drift_.share(); }
  void restore(ConstMatrixView<double> drift, ConstMatrixView<double> whitened_drift);

  [[nodiscard]] std::size_t key_width() const { return space_->width(); }
  [[nodiscard]] std::size_t value_width() const { return drift_.rows(); }

  // To be read from any thread, also while another one updates: as of the last call that ended.
  /// Facts remembered.
  [[nodiscard]] std::size_t facts() const { return published_facts_; }
  /// Memory held, without the key space, which others may share.
  [[nodiscard]] std::size_t bytes() const { return published_bytes_; }

 private:
  void publish();
  void check(ConstMatrixView<double> keys, ConstMatrixView<double> values, const char* name) const;
  void check_weight(double weight) const;
  void check_limit(double limit) const;
  [[nodiscard]] double first_trial(const WeightChoice& choice) const;
  [[nodiscard]] UpdateForm cheaper_form(std::size_t batch, double weight) const;
  void prepare(UpdateForm form);
  Matrix<double> spare_drift();
  struct Solved {
    Solution solution;
    bool bordered;
  };
  Solved solve(ConstMatrixView<double> keys, ConstMatrixView<double> targets, ConstMatrixView<double> present,
               WeightSearch& search, UpdateForm form, const Cancellation& cancellation);
  double replace_drift(Matrix<double> drift);
  double add_change(Change change);
  UpdateReport update_values(ConstMatrixView<double> keys, ConstMatrixView<double> residuals,
                             const WeightChoice& choice, UpdateForm form, const Cancellation& cancellation);
  UpdateReport update_change(ConstMatrixView<double> keys, ConstMatrixView<double> residuals, double weight,
                             UpdateForm form, const Cancellation& cancellation);

  std::shared_ptr<const KeySpace> space_;
  Memory memory_;
  Ledger ledger_;
  DualForm dual_;           // of Memory::values
  DualChange dual_change_;  // of the others
  PrimalForm primal_;
  Matrix<double> drift_;
  Matrix<double> delta_;           // what the last update changed of D, or memory for the next one
  bool is_delta_current_ = false;  // otherwise `change_` is; both at no time
  Change change_;
  double update_norm_ = 0;
  Matrix<double> whitened_drift_;  // empty with Memory::values
  std::optional<Chain> chain_;
  std::size_t facts_to_restore_ = 0;
  std::atomic<std::size_t> published_facts_ = 0;
  std::atomic<std::size_t> published_bytes_ = 0;
};

}  // namespace lyaplock
