// The update as a system of the size of the number of facts.
#pragma once

#include <memory>
#include <optional>

#include "edit/dual_system.h"
#include "edit/ledger.h"
#include "edit/solution.h"
#include "edit/weight_search.h"

namespace lyaplock {

/// D = Q^T B with (G + μ I) Q = Y, where B [n, d] holds the lifted and G [n, n] the inner products of the whitened keys
/// (mathematics of the engine). Keeps them for the facts it has seen; a batch adds its rows.
///
/// While μ stays the same, a batch costs u n² in place of n³/3 + 2 m n² + 2 m n d: its rows border the factor, and as
/// the earlier values change only in the batch before, which has meanwhile reached what it could, Q and D change by
/// what the rows of these two batches add.
class DualForm {
 public:
  DualForm(std::shared_ptr<const KeySpace> space, std::size_t value_width);

  /// Solves for the facts of the ledger followed by a batch: keys [u, d], targets Y [u, m], with the weight that the
  /// search ends at. `present` [u, m] is what the keys reach as yet, D k. Where the last factor was gone on from,
  /// `change` is what changes D; where not it is empty, and `drift` gives D. The ledger may only have grown since the
  /// last call. ErrorCode::not_positive_definite if G + μ I cannot be factored, and what the search throws; nothing
  /// has then changed, but that the next batch may have to be solved for anew.
  Solution solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> targets,
                 ConstMatrixView<double> present, WeightSearch& search, Change& change,
                 const Cancellation& cancellation);
  /// Writes D [m, d] of the last solution.
  void drift(MatrixView<double> drift) const;

  /// True if the next batch with this weight would border the factor, `past` facts being in the ledger.
  [[nodiscard]] bool can_border(double weight, std::size_t past) const {
    return system_.is_factored(weight, past) && solved_weight_ == weight && coefficients_.rows() == past;
  }
  /// How many facts it has whitened.
  [[nodiscard]] std::size_t facts() const { return system_.rows(); }
  /// Forgets everything but the whitened keys [n, rank] of the facts it has seen, which it returns; the next call
  /// begins anew from the ledger.
  BlockedRows release();
  [[nodiscard]] std::size_t bytes() const;

 private:
  /// What one batch adds to the solution.
  struct Response {
    Border border;
    Matrix<double> lifted;  // rows of L^-1 B, [u, d]
  };

  void solve_bordered(const Ledger& past, ConstMatrixView<double> targets, ConstMatrixView<double> present,
                      Change& change, const Cancellation& cancellation);
  void solve_anew(const Ledger& past, ConstMatrixView<double> targets, double weight, const Cancellation& cancellation);
  [[nodiscard]] double loss(const Ledger& past, ConstMatrixView<double> targets) const;
  double give_up_for_slope();
  void catch_up(const Ledger& past);
  void add_keys(ConstMatrixView<double> keys);
  void drop_after(std::size_t facts);
  [[nodiscard]] Response response(std::size_t begin, std::size_t end) const;
  void add_to_coefficients(const Border& border, MatrixView<double> solved);
  [[nodiscard]] Solution figures(const Ledger& past, ConstMatrixView<double> targets) const;

  std::shared_ptr<const KeySpace> space_;
  DualSystem system_;
  BlockedRows lifted_;            // B
  BlockedRows coefficients_;      // Q of the last solution
  double solved_weight_ = 0;      // its μ
  std::optional<Response> last_;  // of the last batch
};

}  // namespace lyaplock
