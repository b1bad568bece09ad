#include "edit/primal_form.h"

#include "base/text.h"
#include "edit/diagonal.h"
#include "edit/probes.h"

namespace lyaplock {

PrimalForm::PrimalForm(std::shared_ptr<const KeySpace> space, std::size_t value_width, bool keeps_values)
    : space_(std::move(space)), value_width_(value_width), keeps_values_(keeps_values) {}

void PrimalForm::clear() {
  key_moment_ = {};
  value_key_ = {};
  facts_ = 0;
}

void PrimalForm::fold(ConstMatrixView<double> whitened, ConstMatrixView<double> values) {
  Backend& backend = *space_->backend();
  backend.syrk(Transpose::yes, 1.0, whitened, 1.0, key_moment_);
  if (keeps_values_) backend.gemm(Transpose::yes, Transpose::no, 1.0, values, whitened, 1.0, value_key_);
}

void PrimalForm::catch_up(const Ledger& past, const BlockedRows* whitened) {
  Backend& backend = *space_->backend();
  if (is_begun()) {
    for (const std::size_t end : past.batch_ends()) {
      if (end <= facts_) continue;
      const Matrix<double> values = keeps_values_ ? past.values().copy(backend, facts_, end) : Matrix<double>();
      fold(space_->whiten(past.keys().copy(backend, facts_, end)), values);
      facts_ = end;
    }
    return;
  }
  Matrix<double> key_moment(backend, space_->rank(), space_->rank());
  Matrix<double> value_key(backend, keeps_values_ ? value_width_ : 0, space_->rank());
  backend.fill(0.0, key_moment);
  backend.fill(0.0, value_key);
  key_moment_ = std::move(key_moment);
  value_key_ = std::move(value_key);
  // In large pieces, and of keys that were whitened batch by batch: the same bits, whether they were at hand or not.
  BlockedRows again(space_->rank());
  if (whitened == nullptr || whitened->rows() < past.facts()) {
    for (const std::size_t end : past.batch_ends())
      again.append(backend, space_->whiten(past.keys().copy(backend, again.rows(), end)));
    whitened = &again;
  }
  whitened->each(0, past.facts(), [&](ConstMatrixView<double> piece, std::size_t first) {
    if (!keeps_values_) return fold(piece, {});
    past.values().each(first, first + piece.rows,
                       [&](ConstMatrixView<double> values, std::size_t) { fold(piece, values); });
  });
  facts_ = past.facts();
}

PrimalForm::System PrimalForm::empty_system() const {
  Backend& backend = *space_->backend();
  const std::size_t rank = space_->rank();
  return {.factor = Matrix<double>(backend, rank, rank), .product = Matrix<double>(backend, rank, probe_count)};
}

void PrimalForm::assemble(System& system, ConstMatrixView<double> whitened, double weight,
                          const Cancellation& cancellation) const {
  Backend& backend = *space_->backend();
  const std::size_t rank = space_->rank();
  backend.copy(key_moment_, system.factor);
  backend.syrk(Transpose::yes, 1.0, whitened, 1.0, system.factor);
  add_to_diagonal(backend, weight, system.factor);
  backend.mirror_lower(system.factor);
  const Matrix<double> probe = probes(backend, rank);
  backend.gemm(Transpose::no, Transpose::no, 1.0, system.factor.view(), probe, 0.0, system.product);
  cancellation.check();
}

void PrimalForm::factor(System& system, ConstMatrixView<double> whitened, double weight,
                        const Cancellation& cancellation) const {
  assemble(system, whitened, weight, cancellation);
  check_minor(space_->backend()->potrf(system.factor), weight);
  cancellation.check();
}

/// Of a factorisation: zero, or the leading minor that is not positive definite.
void PrimalForm::check_minor(std::size_t minor, double weight) const {
  if (minor == 0) return;
  throw Error(ErrorCode::not_positive_definite,
              "S + μI of width " + std::to_string(space_->rank()) + " is not positive definite at its leading minor " +
                  std::to_string(minor) + ", with μ = " + to_text(weight) + ". Give a larger weight");
}

Solution PrimalForm::solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> targets,
                           WeightSearch& search, MatrixView<double> drift, const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  catch_up(past, nullptr);
  const Matrix<double> whitened = space_->whiten(keys);
  System system = empty_system();
  Matrix<double> rows(backend, value_width_, space_->rank());  // N, then D~
  Matrix<double> error(backend, value_width_, probe_count);
  const Matrix<double> probe = probes(backend, space_->rank());
  Solution solution;
  double right_norm = 0;
  while (true) {
    factor(system, whitened, search.weight(), cancellation);
    backend.copy(value_key_, rows);
    backend.gemm(Transpose::yes, Transpose::no, 1.0, targets, whitened.view(), 1.0, rows);
    backend.gemm(Transpose::no, Transpose::no, 1.0, rows.view(), probe, 0.0, error);
    right_norm = backend.dot(rows.view(), rows.view());
    backend.trsm(Side::right, Transpose::yes, system.factor, rows);
    cancellation.check();
    backend.trsm(Side::right, Transpose::no, system.factor, rows);
    cancellation.check();
    solution.preservation_loss = space_->preservation_loss(rows);
    if (search.is_met(solution.preservation_loss)) break;
    // d loss / d μ = -2 <D~, D~ (S + μ I)^-1>
    backend.trsm(Side::right, Transpose::yes, system.factor, rows);
    search.go_on(-2 * backend.dot(rows.view(), rows.view()));
  }
  space_->lift(rows, drift);

  solution.reached = Matrix<double>(backend, keys.rows, value_width_);
  backend.gemm(Transpose::no, Transpose::yes, 1.0, whitened, rows.view(), 0.0, solution.reached);
  backend.gemm(Transpose::no, Transpose::no, 1.0, rows.view(), system.product, -1.0, error);
  solution.residual = relative_norm(backend, error, right_norm);
  return solution;
}

ChangeSolution PrimalForm::solve_change(const Ledger& past, ConstMatrixView<double> keys,
                                        ConstMatrixView<double> residuals, double weight,
                                        const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  catch_up(past, nullptr);
  const Matrix<double> whitened = space_->whiten(keys);
  System system = empty_system();
  assemble(system, whitened, weight, cancellation);

  // R^T K~ (S + μ I)^-1, from the right.
  ChangeSolution solution;
  solution.whitened = Matrix<double>(backend, keys.rows, space_->rank());
  backend.copy(whitened, solution.whitened);
  check_minor(backend.solve_positive(system.factor, solution.whitened), weight);
  solution.change.left = Matrix<double>(backend, residuals.rows, residuals.cols);
  backend.copy(residuals, solution.change.left);
  solution.change.right = space_->lift(solution.whitened);

  Matrix<double> error(backend, keys.rows, probe_count);
  const Matrix<double> probe = probes(backend, space_->rank());
  backend.gemm(Transpose::no, Transpose::no, 1.0, whitened.view(), probe, 0.0, error);
  backend.gemm(Transpose::no, Transpose::no, 1.0, solution.whitened.view(), system.product, -1.0, error);
  solution.residual = relative_norm(backend, error, backend.dot(whitened.view(), whitened.view()));
  return solution;
}

}  // namespace lyaplock
