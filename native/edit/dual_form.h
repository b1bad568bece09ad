// The update as a system of the size of the number of facts.
#pragma once

#include <memory>

#include "edit/key_space.h"
#include "edit/ledger.h"
#include "edit/solution.h"

namespace lyaplock {

/// D = Q^T B with (G + μ I) Q = Y, where B [n, d] holds the lifted and G [n, n] the inner products of the whitened keys
/// (mathematics of the engine). Keeps B, the whitened keys and G of the facts it has seen; a batch adds its rows.
class DualForm {
 public:
  explicit DualForm(std::shared_ptr<const KeySpace> space);

  /// Solves for the facts of the ledger followed by a batch: keys [u, d], values [u, m], μ > 0. The ledger may only
  /// have grown since the last call. ErrorCode::not_positive_definite if G + μ I cannot be factored.
  Solution solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> values, double weight);

  [[nodiscard]] std::size_t bytes() const;
  /// Floating-point operations of one batch of u facts after `past` others.
  static double flops(std::size_t d, std::size_t m, std::size_t past, std::size_t u);

 private:
  void catch_up(const Ledger& past);
  void add_keys(ConstMatrixView<double> keys);
  void drop_keys_after(std::size_t facts);

  std::shared_ptr<const KeySpace> space_;
  GrowingMatrix whitened_;
  GrowingMatrix lifted_;
  Matrix<double> gram_;  // [capacity, capacity], G in its first facts_ rows and columns, both triangles
  std::size_t facts_ = 0;
};

}  // namespace lyaplock
