#include "edit/layer_editor.h"

#include <cmath>

namespace lyaplock {

LayerEditor::LayerEditor(std::shared_ptr<const KeySpace> space, std::size_t value_width)
    : space_(std::move(space)),
      ledger_(space_->width(), value_width),
      dual_(space_),
      primal_(space_, value_width),
      drift_(*space_->backend(), value_width, space_->width()) {
  space_->backend()->fill(0.0, drift_);
}

void LayerEditor::check(ConstMatrixView<double> keys, ConstMatrixView<double> values, const char* name) const {
  Backend& backend = *space_->backend();
  if (keys.rows == 0) throw Error(ErrorCode::invalid_argument, "A batch must hold at least one fact");
  if (keys.cols != key_width() || values.cols != value_width() || keys.rows != values.rows)
    throw Error(ErrorCode::shape, "Keys must be [facts, " + std::to_string(key_width()) + "] and " + name +
                                      " [facts, " + std::to_string(value_width()) + "]; received " + shape_of(keys) +
                                      " and " + shape_of(values));
  if (!backend.all_finite(keys)) throw Error(ErrorCode::not_finite, "A key holds NaN or infinity");
  if (!backend.all_finite(values)) throw Error(ErrorCode::not_finite, std::string("NaN or infinity among the ") + name);
}

UpdateForm LayerEditor::cheaper_form(std::size_t batch) const {
  const double dual = DualForm::flops(key_width(), value_width(), ledger_.facts(), batch);
  const double primal = PrimalForm::flops(key_width(), value_width(), batch);
  return dual <= primal ? UpdateForm::dual : UpdateForm::primal;
}

Solution LayerEditor::solve(ConstMatrixView<double> keys, ConstMatrixView<double> targets, double weight,
                            UpdateForm form) {
  if (!(weight > 0) || !std::isfinite(weight))
    throw Error(ErrorCode::invalid_argument,
                "The weight of the preserved knowledge must be positive; received " + std::to_string(weight));
  ledger_.reserve(*space_->backend(), keys.rows);  // so that nothing can fail once there is a solution
  return form == UpdateForm::dual ? dual_.solve(ledger_, keys, targets, weight)
                                  : primal_.solve(ledger_, keys, targets, weight);
}

void LayerEditor::commit(ConstMatrixView<double> keys, Matrix<double> targets, Solution solution) {
  ledger_.append(*space_->backend(), keys, solution.reached);
  drift_ = std::move(solution.drift);
  last_targets_ = std::move(targets);
}

UpdateReport LayerEditor::update(ConstMatrixView<double> keys, ConstMatrixView<double> residuals, double weight,
                                 std::optional<UpdateForm> form, const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  check(keys, residuals, "residuals");
  cancellation.check();

  // Relative to the original weight, the batch shall reach Y = D K + R.
  Matrix<double> targets(backend, keys.rows, value_width());
  backend.copy(residuals, targets);
  backend.gemm(Transpose::no, Transpose::yes, 1.0, keys, drift_.view(), 1.0, targets);

  const UpdateForm chosen = form.value_or(cheaper_form(keys.rows));
  Solution solution = solve(keys, targets, weight, chosen);

  backend.add_scaled(-1.0, solution.drift, drift_);
  const UpdateReport report{.preservation_loss = solution.preservation_loss,
                            .update_norm = std::sqrt(backend.dot(drift_.view(), drift_.view())),
                            .residual_norm = std::sqrt(backend.dot(residuals, residuals)),
                            .solve_residual = solution.residual,
                            .form = chosen,
                            .flops = solution.flops};
  commit(keys, std::move(targets), std::move(solution));
  return report;
}

void LayerEditor::replay(ConstMatrixView<double> keys, ConstMatrixView<double> values) {
  check(keys, values, "values");
  ledger_.append(*space_->backend(), keys, values);
}

void LayerEditor::replay_last(ConstMatrixView<double> keys, ConstMatrixView<double> targets, double weight,
                              UpdateForm form) {
  Backend& backend = *space_->backend();
  check(keys, targets, "targets");
  Matrix<double> copy(backend, targets.rows, targets.cols);
  backend.copy(targets, copy);
  Solution solution = solve(keys, targets, weight, form);
  commit(keys, std::move(copy), std::move(solution));
}

std::size_t LayerEditor::bytes() const {
  return ledger_.bytes() + dual_.bytes() + primal_.bytes() + drift_.bytes() + last_targets_.bytes();
}

}  // namespace lyaplock
