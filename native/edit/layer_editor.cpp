#include "edit/layer_editor.h"

#include <cmath>
#include <utility>

#include "backend/counted_flops.h"
#include "base/text.h"
#include "edit/update_cost.h"

namespace lyaplock {

namespace {

Matrix<double> zeros(Backend& backend, std::size_t rows, std::size_t cols) {
  Matrix<double> matrix(backend, rows, cols);
  backend.fill(0.0, matrix);
  return matrix;
}

/// Before a matrix is written to: those it was handed out to keep what they were given.
void own(Backend& backend, Matrix<double>& matrix) {
  if (!matrix.is_shared()) return;
  Matrix<double> copy(backend, matrix.rows(), matrix.cols());
  backend.copy(matrix.view(), copy);
  matrix = std::move(copy);
}

}  // namespace

LayerEditor::LayerEditor(std::shared_ptr<const KeySpace> space, std::size_t value_width, Memory memory)
    : space_(std::move(space)),
      memory_(memory),
      ledger_(space_->width(), value_width),
      dual_(space_, value_width),
      dual_change_(space_),
      primal_(space_, value_width, memory == Memory::values),
      drift_(zeros(*space_->backend(), value_width, space_->width())) {
  if (memory == Memory::values)
    delta_ = zeros(*space_->backend(), value_width, space_->width());
  else
    whitened_drift_ = zeros(*space_->backend(), value_width, space_->rank());
  publish();
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

void LayerEditor::check_weight(double weight) const {
  if (weight > 0 && std::isfinite(weight)) return;
  if (weight == 0 && memory_ == Memory::none) return;
  throw Error(ErrorCode::invalid_argument, "The weight of the preserved knowledge must be positive" +
                                               std::string(memory_ == Memory::none ? " or zero" : "") + "; received " +
                                               to_text(weight));
}

void LayerEditor::check_limit(double limit) const {
  if (!(limit >= 0))
    throw Error(ErrorCode::invalid_argument,
                "A limit on the preservation loss must be zero or more; received " + to_text(limit));
  if (std::isfinite(limit) && (memory_ != Memory::values || !space_->is_white()))
    throw Error(ErrorCode::invalid_argument,
                "A limit on the preservation loss needs an editor whose memory is \"values\", in the key space of a "
                "second moment that was factored: only there a larger weight always means a smaller loss");
}

/// With a limit the weight that met it last, which is rarely far off.
double LayerEditor::first_trial(const WeightChoice& choice) const {
  return choice.is_limited() && chain_ ? std::max(choice.weight, chain_->weight) : choice.weight;
}

UpdateForm LayerEditor::cheaper_form(std::size_t batch, double weight) const {
  if (weight == 0) return UpdateForm::dual;
  const UpdateShape shape{.key_width = key_width(),
                          .rank = space_->rank(),
                          .value_width = value_width(),
                          .flops_of_row = space_->flops_of_row(),
                          .memory = memory_};
  const std::size_t past = ledger_.facts();
  const bool values = memory_ == Memory::values;
  const std::size_t whitened = values ? dual_.facts() : dual_change_.facts();
  const FormState state{
      .facts = past,
      .not_in_dual = past - std::min(past, whitened),
      .can_border = values ? dual_.can_border(weight, past) : dual_change_.can_border(weight, past),
      .is_primal_begun = primal_.is_begun(),
  };
  return lyaplock::cheaper_form(shape, state, batch);
}

/// The forms take turns with the memory: what one has derived from the ledger is dropped when the other is used.
void LayerEditor::prepare(UpdateForm form) {
  if (form == UpdateForm::dual) {
    primal_.clear();
    return;
  }
  const BlockedRows whitened = memory_ == Memory::values ? dual_.release() : dual_change_.release();
  if (!primal_.is_begun()) primal_.catch_up(ledger_, &whitened);
}

/// Memory for a drift: that of an earlier delta, where nobody else has it. Memory that was never touched takes a tenth
/// of the time of an update of a thousand facts.
Matrix<double> LayerEditor::spare_drift() {
  Matrix<double> spare = std::exchange(delta_, {});
  if (!spare.empty() && !spare.is_shared()) return spare;
  return {*space_->backend(), value_width(), key_width()};
}

UpdateReport LayerEditor::update(ConstMatrixView<double> keys, ConstMatrixView<double> residuals,
                                 const WeightChoice& choice, std::optional<UpdateForm> form,
                                 const Cancellation& cancellation) {
  check(keys, residuals, "residuals");
  check_weight(choice.weight);
  check_limit(choice.limit);
  cancellation.check();
  const UpdateForm chosen = form.value_or(cheaper_form(keys.rows, choice.weight));
  if (choice.weight == 0 && chosen == UpdateForm::primal)
    throw Error(ErrorCode::invalid_argument,
                "The primal form needs a positive weight; a weight of 0 takes the dual one");
  const double before = counted_flops();
  UpdateReport report = memory_ == Memory::values ? update_values(keys, residuals, choice, chosen, cancellation)
                                                  : update_change(keys, residuals, choice.weight, chosen, cancellation);
  Backend& backend = *space_->backend();
  report.update_norm = update_norm_;
  report.residual_norm = std::sqrt(backend.dot(residuals, residuals));
  report.form = chosen;
  report.flops = counted_flops() - before;
  publish();
  return report;
}

UpdateReport LayerEditor::update_values(ConstMatrixView<double> keys, ConstMatrixView<double> residuals,
                                        const WeightChoice& choice, UpdateForm form, const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  // Relative to the original weight, the batch shall reach Y = D K + R.
  Matrix<double> present(backend, keys.rows, value_width()), targets(backend, keys.rows, value_width());
  backend.gemm(Transpose::no, Transpose::yes, 1.0, keys, drift_.view(), 0.0, present);
  backend.copy(residuals, targets);
  backend.add_scaled(1.0, present.view(), targets);

  const std::size_t before = ledger_.facts();
  const bool was_primal = primal_.is_begun() && before > 0;
  WeightSearch search(choice, first_trial(choice));
  const auto [solution, bordered] = solve(keys, targets, present, search, form, cancellation);
  const bool goes_on = bordered || (form == UpdateForm::primal && was_primal);
  chain_ = Chain{.weight = search.weight(), .form = form, .begin = goes_on ? chain_->begin : before};

  UpdateReport report{};
  report.preservation_loss = form == UpdateForm::primal || space_->is_white()
                                 ? solution.preservation_loss
                                 : space_->preservation_loss(space_->whiten(drift_.view()));
  report.solve_residual = solution.residual;
  report.bordered = bordered;
  report.weight = search.weight();
  report.trials = search.trials();
  return report;
}

/// Solves, and makes the solution the state.
LayerEditor::Solved LayerEditor::solve(ConstMatrixView<double> keys, ConstMatrixView<double> targets,
                                       ConstMatrixView<double> present, WeightSearch& search, UpdateForm form,
                                       const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  ledger_.reserve(backend, keys.rows);  // so that nothing can fail once there is a solution
  prepare(form);
  change_ = {};
  is_delta_current_ = false;
  Solution solution;
  Change change;
  if (form == UpdateForm::dual) solution = dual_.solve(ledger_, keys, targets, present, search, change, cancellation);
  const bool bordered = !change.left.empty();
  if (bordered) {
    own(backend, drift_);
    update_norm_ = add_change(std::move(change));
  } else {
    Matrix<double> drift = spare_drift();
    if (form == UpdateForm::dual)
      dual_.drift(drift);
    else
      solution = primal_.solve(ledger_, keys, targets, search, drift, cancellation);
    update_norm_ = replace_drift(std::move(drift));
  }
  ledger_.append(backend, keys, targets, solution.reached);
  return {.solution = std::move(solution), .bordered = bordered};
}

double LayerEditor::replace_drift(Matrix<double> drift) {
  own(*space_->backend(), drift_);
  const double squared = space_->backend()->subtract_from(drift.view(), drift_);
  delta_ = std::move(drift_);
  is_delta_current_ = true;
  drift_ = std::move(drift);
  return std::sqrt(squared);
}

double LayerEditor::add_change(Change change) {
  Backend& backend = *space_->backend();
  const std::size_t k = change.left.rows();
  backend.gemm(Transpose::yes, Transpose::no, 1.0, change.left.view(), change.right.view(), 1.0, drift_);
  // ||A^T B||² = <A A^T, B B^T>, without forming the change.
  Matrix<double> left(backend, k, k), right(backend, k, k);
  backend.gemm(Transpose::no, Transpose::yes, 1.0, change.left.view(), change.left.view(), 0.0, left);
  backend.gemm(Transpose::no, Transpose::yes, 1.0, change.right.view(), change.right.view(), 0.0, right);
  is_delta_current_ = false;
  change_ = std::move(change);
  return std::sqrt(std::max(0.0, backend.dot(left.view(), right.view())));
}

UpdateReport LayerEditor::update_change(ConstMatrixView<double> keys, ConstMatrixView<double> residuals, double weight,
                                        UpdateForm form, const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  UpdateReport report{};
  report.bordered = form == UpdateForm::dual && dual_change_.can_border(weight, ledger_.facts());
  prepare(form);
  own(backend, drift_);
  own(backend, whitened_drift_);
  ChangeSolution solution = form == UpdateForm::dual
                                ? dual_change_.solve(ledger_, keys, residuals, weight, cancellation)
                                : primal_.solve_change(ledger_, keys, residuals, weight, cancellation);
  backend.gemm(Transpose::yes, Transpose::no, 1.0, solution.change.left.view(), solution.whitened.view(), 1.0,
               whitened_drift_);
  update_norm_ = add_change(std::move(solution.change));
  report.preservation_loss = space_->preservation_loss(whitened_drift_);
  report.solve_residual = solution.residual;
  report.weight = weight;
  report.trials = 1;
  return report;
}

Matrix<double> LayerEditor::delta() const {
  if (is_delta_current_) return delta_.share();
  Backend& backend = *space_->backend();
  Matrix<double> delta = zeros(backend, value_width(), key_width());
  if (!change_.left.empty())
    backend.gemm(Transpose::yes, Transpose::no, 1.0, change_.left.view(), change_.right.view(), 0.0, delta);
  return delta;
}

void LayerEditor::remember(ConstMatrixView<double> keys) {
  if (memory_ != Memory::keys)
    throw Error(ErrorCode::invalid_argument, "Only an editor whose memory is \"keys\" is told what to remember");
  if (keys.rows == 0 || keys.cols != key_width())
    throw Error(ErrorCode::shape,
                "Keys must be [facts, " + std::to_string(key_width()) + "]; received " + shape_of(keys));
  if (!space_->backend()->all_finite(keys)) throw Error(ErrorCode::not_finite, "A key holds NaN or infinity");
  ledger_.append_keys(*space_->backend(), keys);
  publish();
}

void LayerEditor::restore(const Chain& chain, std::size_t facts) {
  if (memory_ != Memory::values || ledger_.facts() > 0)
    throw Error(ErrorCode::invalid_argument, "Only a fresh editor whose memory is \"values\" can be given a ledger");
  check_weight(chain.weight);
  if (chain.begin > facts)
    throw Error(ErrorCode::invalid_argument, "A chain that begins after " + std::to_string(chain.begin) +
                                                 " facts does not fit a ledger of " + std::to_string(facts));
  chain_ = chain;
  facts_to_restore_ = facts;
}

void LayerEditor::replay(ConstMatrixView<double> keys, ConstMatrixView<double> targets, ConstMatrixView<double> values,
                         const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  check(keys, targets, "targets");
  check(keys, values, "values");
  const std::size_t before = ledger_.facts(), after = before + keys.rows;
  if (!chain_ || after > facts_to_restore_)
    throw Error(ErrorCode::invalid_argument, "This batch is not part of what the editor was to be restored to");
  const bool in_chain = before >= chain_->begin;
  // In the primal form only the last solution matters; what comes before it is folded in on the way.
  const bool is_solved = in_chain && (chain_->form == UpdateForm::dual || after == facts_to_restore_);
  if (is_solved) {
    Matrix<double> present(backend, keys.rows, value_width());
    backend.gemm(Transpose::no, Transpose::yes, 1.0, keys, drift_.view(), 0.0, present);
    const WeightChoice same{.weight = chain_->weight};
    WeightSearch search(same, same.weight);
    solve(keys, targets, present, search, chain_->form, cancellation);
  } else {
    if (in_chain) primal_.catch_up(ledger_, nullptr);
    ledger_.append(backend, keys, targets, values);
  }
  publish();
}

void LayerEditor::restore(ConstMatrixView<double> drift, ConstMatrixView<double> whitened_drift) {
  if (memory_ == Memory::values)
    throw Error(ErrorCode::invalid_argument, "An editor whose memory is \"values\" is restored from its ledger");
  if (drift.rows != value_width() || drift.cols != key_width() || whitened_drift.rows != value_width() ||
      whitened_drift.cols != space_->rank())
    throw Error(ErrorCode::shape, "A drift must be [" + std::to_string(value_width()) + ", " +
                                      std::to_string(key_width()) + "] and its whitened rows [" +
                                      std::to_string(value_width()) + ", " + std::to_string(space_->rank()) +
                                      "]; received " + shape_of(drift) + " and " + shape_of(whitened_drift));
  Backend& backend = *space_->backend();
  drift_ = Matrix<double>(backend, drift.rows, drift.cols);
  backend.copy(drift, drift_);
  whitened_drift_ = Matrix<double>(backend, whitened_drift.rows, whitened_drift.cols);
  backend.copy(whitened_drift, whitened_drift_);
}

void LayerEditor::publish() {
  published_facts_ = ledger_.facts();
  published_bytes_ = ledger_.bytes() + dual_.bytes() + dual_change_.bytes() + primal_.bytes() + drift_.bytes() +
                     delta_.bytes() + change_.left.bytes() + change_.right.bytes() + whitened_drift_.bytes();
}

}  // namespace lyaplock
