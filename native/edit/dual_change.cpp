#include "edit/dual_change.h"

#include "edit/probes.h"

namespace lyaplock {

DualChange::DualChange(std::shared_ptr<const KeySpace> space) : space_(std::move(space)), system_(space_) {}

ChangeSolution DualChange::solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> residuals,
                                 double weight, const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  for (const std::size_t end : past.batch_ends())
    if (end > system_.rows()) system_.add(space_->whiten(past.keys().copy(backend, system_.rows(), end)));
  const std::size_t before = past.facts();
  try {
    system_.add(space_->whiten(keys));
    // Batch by batch, whatever is factored already: the bits of a factor shall not depend on when it was made.
    for (const std::size_t end : past.batch_ends()) system_.factor(weight, end, cancellation);
    system_.factor(weight, system_.rows(), cancellation);

    const Border border = system_.border(before, system_.rows());
    ChangeSolution solution;
    solution.whitened = system_.solve_rows(border, system_.whitened());
    solution.change.left = Matrix<double>(backend, residuals.rows, residuals.cols);
    backend.copy(residuals, solution.change.left);
    backend.trsm(Side::left, Transpose::no, border.diagonal, solution.change.left);
    cancellation.check();
    solution.change.right = space_->lift(solution.whitened);
    solution.residual = residual(border, solution.change.left, residuals);
    system_.drop_after(before);
    return solution;
  } catch (...) {
    system_.drop_after(before);
    throw;
  }
}

double DualChange::residual(const Border& border, ConstMatrixView<double> solved,
                            ConstMatrixView<double> residuals) const {
  Backend& backend = *space_->backend();
  const Matrix<double> probe = probes(backend, solved.cols);
  // Coefficients times probes: L^-T [0; solved] V.
  Matrix<double> coefficients(backend, border.end, probe_count);
  const MatrixView<double> own = coefficients.view().row_range(border.begin, border.end - border.begin);
  backend.gemm(Transpose::no, Transpose::no, 1.0, solved, probe, 0.0, own);
  backend.trsm(Side::left, Transpose::yes, border.diagonal, own);
  backend.gemm(Transpose::yes, Transpose::no, -1.0, border.coupling, own, 0.0,
               coefficients.view().row_range(0, border.begin));
  Matrix<double> error = system_.multiply(coefficients);
  backend.gemm(Transpose::no, Transpose::no, -1.0, residuals, probe, 1.0,
               error.view().row_range(border.begin, own.rows));
  return relative_norm(backend, error, backend.dot(residuals, residuals));
}

}  // namespace lyaplock
