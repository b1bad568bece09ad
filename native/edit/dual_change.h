// The change of a weight that writes one batch, as a system of the size of the number of keys.
#pragma once

#include <memory>

#include "edit/dual_system.h"
#include "edit/ledger.h"
#include "edit/solution.h"

namespace lyaplock {

/// D+ - D = [0 R] (G + μ I)^-1 B^T: the keys of earlier facts stay, and nothing is asked of their values (MEMIT in
/// sequence and AlphaEdit; reference, sections 10.2 and 10.5). With an empty ledger it is MEMIT's own update, and with
/// μ = 0 the one that meets R exactly (EMMET). Only the rows of L^-1 that belong to the batch are needed.
class DualChange {
 public:
  explicit DualChange(std::shared_ptr<const KeySpace> space);

  /// keys [u, d], residuals R [u, m], weight μ. The batch is not remembered: the ledger is what does that.
  /// ErrorCode::not_positive_definite; nothing has then changed.
  ChangeSolution solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> residuals,
                       double weight, const Cancellation& cancellation);

  /// True if the factor of the `past` facts of the ledger is there for this weight.
  [[nodiscard]] bool can_border(double weight, std::size_t past) const { return system_.is_factored(weight, past); }
  [[nodiscard]] std::size_t facts() const { return system_.rows(); }
  /// Forgets everything but the whitened keys [n, rank], which it returns; the next call begins anew from the ledger.
  BlockedRows release() { return system_.release(); }
  [[nodiscard]] std::size_t bytes() const { return system_.bytes(); }

 private:
  [[nodiscard]] double residual(const Border& border, ConstMatrixView<double> solved,
                                ConstMatrixView<double> residuals) const;

  std::shared_ptr<const KeySpace> space_;
  DualSystem system_;
};

}  // namespace lyaplock
