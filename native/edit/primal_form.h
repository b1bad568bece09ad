// The update as a system of the size of the key width.
#pragma once

#include <memory>

#include "edit/key_space.h"
#include "edit/ledger.h"
#include "edit/solution.h"

namespace lyaplock {

/// D (S + μ C) = N with S = sum k k^T [d, d] and N = sum y k^T [m, d] over all facts. Cheaper than the dual form once
/// there are more facts than the keys are wide; its cost no longer grows with them.
class PrimalForm {
 public:
  PrimalForm(std::shared_ptr<const KeySpace> space, std::size_t value_width);

  /// As DualForm::solve, with the same result up to rounding.
  Solution solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> values, double weight);

  [[nodiscard]] std::size_t bytes() const { return key_moment_.bytes() + value_key_.bytes(); }
  /// Floating-point operations of one batch of u facts, however many there were before.
  static double flops(std::size_t d, std::size_t m, std::size_t u);

 private:
  void catch_up(const Ledger& past);

  std::shared_ptr<const KeySpace> space_;
  std::size_t value_width_;
  Matrix<double> key_moment_;  // S of the first facts_ facts, lower triangle; empty until the form is first used
  Matrix<double> value_key_;   // N of the same
  std::size_t facts_ = 0;
};

}  // namespace lyaplock
