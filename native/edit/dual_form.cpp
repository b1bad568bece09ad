#include "edit/dual_form.h"

#include <cmath>

#include "edit/probes.h"

namespace lyaplock {

namespace {

/// Sum over all elements of x y, for the rows they both have.
double dot(Backend& backend, const BlockedRows& x, const BlockedRows& y) {
  double sum = 0;
  const std::size_t rows = std::min(x.rows(), y.rows());
  x.each(0, rows, [&](ConstMatrixView<double> x_piece, std::size_t first) {
    y.each(first, first + x_piece.rows,
           [&](ConstMatrixView<double> y_piece, std::size_t) { sum += backend.dot(x_piece, y_piece); });
  });
  return sum;
}

/// x [n, m] times v [m, k].
Matrix<double> times(Backend& backend, const BlockedRows& x, ConstMatrixView<double> v) {
  Matrix<double> product(backend, x.rows(), v.cols);
  x.each(0, x.rows(), [&](ConstMatrixView<double> piece, std::size_t first) {
    backend.gemm(Transpose::no, Transpose::no, 1.0, piece, v, 0.0, product.view().row_range(first, piece.rows));
  });
  return product;
}

}  // namespace

DualForm::DualForm(std::shared_ptr<const KeySpace> space, std::size_t value_width)
    : space_(std::move(space)), system_(space_), lifted_(space_->width()), coefficients_(value_width) {}

std::size_t DualForm::bytes() const {
  const std::size_t last =
      last_ ? last_->lifted.bytes() + last_->border.coupling.bytes() + last_->border.diagonal.bytes() : 0;
  return system_.bytes() + lifted_.bytes() + coefficients_.bytes() + last;
}

BlockedRows DualForm::release() {
  lifted_.clear();
  coefficients_.clear();
  last_.reset();
  return system_.release();
}

void DualForm::add_keys(ConstMatrixView<double> keys) {
  Backend& backend = *space_->backend();
  const Matrix<double> whitened = space_->whiten(keys);
  const Matrix<double> lifted = space_->lift(whitened);
  lifted_.reserve(backend, keys.rows);
  system_.add(whitened);
  lifted_.append(backend, lifted);
}

void DualForm::drop_after(std::size_t facts) {
  system_.drop_after(facts);
  lifted_.shrink(facts);
}

DualForm::Response DualForm::response(std::size_t begin, std::size_t end) const {
  Response response{.border = system_.border(begin, end), .lifted = {}};
  response.lifted = system_.solve_rows(response.border, lifted_);
  return response;
}

void DualForm::catch_up(const Ledger& past) {
  if (facts() > past.facts()) {  // the last solution did not make it into the ledger
    drop_after(past.facts());
    coefficients_.clear();
    last_.reset();
  }
  for (const std::size_t end : past.batch_ends())
    if (end > facts()) add_keys(past.keys().copy(*space_->backend(), facts(), end));
}

Solution DualForm::solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> targets,
                         ConstMatrixView<double> present, WeightSearch& search, Change& change,
                         const Cancellation& cancellation) {
  const std::size_t before = past.facts();
  const bool is_bordered = can_border(search.weight(), before);
  if (!is_bordered) catch_up(past);
  try {
    if (is_bordered && !last_) last_ = response(past.batch_begin(past.batch_ends().size() - 1), before);
    add_keys(keys);
    if (is_bordered)
      solve_bordered(past, targets, present, change, cancellation);
    else
      solve_anew(past, targets, search.weight(), cancellation);
  } catch (...) {
    drop_after(before);
    throw;
  }
  double found = loss(past, targets);
  try {
    while (!search.is_met(found)) {
      change = {};
      search.go_on(give_up_for_slope());
      solve_anew(past, targets, search.weight(), cancellation);
      found = loss(past, targets);
    }
  } catch (...) {
    drop_after(before);
    coefficients_.shrink(0);
    last_.reset();
    throw;
  }
  Solution solution = figures(past, targets);
  solution.preservation_loss = found;
  return solution;
}

/// Q of all facts there are. From the first step on there is nothing to go on from, should this fail.
void DualForm::solve_anew(const Ledger& past, ConstMatrixView<double> targets, double weight,
                          const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  last_.reset();
  coefficients_.shrink(0);
  try {
    system_.forget_factor();
    system_.factor(weight, facts(), cancellation);
    past.values().each(0, past.facts(),
                       [&](ConstMatrixView<double> piece, std::size_t) { coefficients_.append(backend, piece); });
    coefficients_.append(backend, targets);
    cancellation.check();
  } catch (...) {
    coefficients_.shrink(0);
    throw;
  }
  system_.solve(coefficients_);
  solved_weight_ = weight;
}

/// tr(D C D^T) = <Q, G Q> = <Q, Y> - μ <Q, Q>, without forming D C.
double DualForm::loss(const Ledger& past, ConstMatrixView<double> targets) const {
  Backend& backend = *space_->backend();
  const Matrix<double> last = coefficients_.copy(backend, past.facts(), facts());
  return dot(backend, coefficients_, past.values()) + backend.dot(last, targets) -
         solved_weight_ * dot(backend, coefficients_, coefficients_);
}

/// d loss / d μ = -2 (<Q, Q> - μ <Q, (G + μ I)^-1 Q>), in the memory of Q, which is lost.
double DualForm::give_up_for_slope() {
  Backend& backend = *space_->backend();
  const double squared = dot(backend, coefficients_, coefficients_);
  system_.lower().solve_left(backend, coefficients_);
  const double slope = -2 * (squared - solved_weight_ * dot(backend, coefficients_, coefficients_));
  coefficients_.shrink(0);
  return slope;
}

void DualForm::drift(MatrixView<double> drift) const {
  Backend& backend = *space_->backend();
  double keep = 0;
  coefficients_.each(0, facts(), [&](ConstMatrixView<double> q, std::size_t first) {
    lifted_.each(first, first + q.rows, [&](ConstMatrixView<double> b, std::size_t) {
      backend.gemm(Transpose::yes, Transpose::no, 1.0, q, b, keep, drift);
    });
    keep = 1;
  });
}

void DualForm::solve_bordered(const Ledger& past, ConstMatrixView<double> targets, ConstMatrixView<double> present,
                              Change& change, const Cancellation& cancellation) {
  Backend& backend = *space_->backend();
  const std::size_t before = past.facts(), u = targets.rows, m = targets.cols;
  const std::size_t last_begin = past.batch_begin(past.batch_ends().size() - 1), last_count = before - last_begin;
  Matrix<double> new_rows(backend, u, m), solved(backend, last_count + u, m);
  system_.factor(solved_weight_, facts(), cancellation);
  Response current = response(before, facts());
  coefficients_.reserve(backend, u);
  change = {.left = Matrix<double>(backend, last_count + u, m),
            .right = Matrix<double>(backend, last_count + u, space_->width())};
  const MatrixView<double> last_part = change.left.view().row_range(0, last_count);
  const MatrixView<double> part = change.left.view().row_range(last_count, u);

  // Y - (G + μ I) Q is zero but for two batches. The last one now asks for what it reached, which is μ Q_b less.
  backend.fill(0.0, last_part);
  backend.add_scaled(-solved_weight_, coefficients_.copy(backend, last_begin, before), last_part);
  backend.trsm(Side::left, Transpose::no, last_->border.diagonal, last_part);
  // The new one asks for what D does not give it yet.
  backend.copy(targets, part);
  backend.add_scaled(-1.0, present, part);
  const Matrix<double> link = system_.lower().copy(backend, before, facts(), last_begin, before);
  backend.gemm(Transpose::no, Transpose::no, -1.0, link, ConstMatrixView<double>(last_part), 1.0, part);
  backend.trsm(Side::left, Transpose::no, current.border.diagonal, part);
  backend.copy(last_->lifted, change.right.view().row_range(0, last_count));
  backend.copy(current.lifted, change.right.view().row_range(last_count, u));
  cancellation.check();
  // Nothing below can fail.
  backend.copy(change.left, solved);
  backend.fill(0.0, new_rows);
  coefficients_.append(backend, new_rows);
  add_to_coefficients(last_->border, solved.view().row_range(0, last_count));
  add_to_coefficients(current.border, solved.view().row_range(last_count, u));
  last_ = std::move(current);
}

/// Q += L^-T [0; solved; 0], the rows of `solved` being those of the border.
void DualForm::add_to_coefficients(const Border& border, MatrixView<double> solved) {
  Backend& backend = *space_->backend();
  backend.trsm(Side::left, Transpose::yes, border.diagonal, solved);
  coefficients_.each(border.begin, border.end, [&](MatrixView<double> piece, std::size_t first) {
    backend.add_scaled(1.0, solved.row_range(first - border.begin, piece.rows), piece);
  });
  coefficients_.each(0, border.begin, [&](MatrixView<double> piece, std::size_t first) {
    backend.gemm(Transpose::yes, Transpose::no, -1.0, border.coupling.view().column_range(first, piece.rows), solved,
                 1.0, piece);
  });
}

/// All but the loss.
Solution DualForm::figures(const Ledger& past, ConstMatrixView<double> targets) const {
  Backend& backend = *space_->backend();
  const std::size_t before = past.facts();
  const Matrix<double> last = coefficients_.copy(backend, before, facts());
  Solution solution;
  // D k = Y - μ Q.
  solution.reached = Matrix<double>(backend, targets.rows, targets.cols);
  backend.copy(targets, solution.reached);
  backend.add_scaled(-solved_weight_, last, solution.reached);
  const Matrix<double> probe = probes(backend, targets.cols);
  Matrix<double> error = system_.multiply(times(backend, coefficients_, probe));
  past.values().each(0, before, [&](ConstMatrixView<double> piece, std::size_t first) {
    backend.gemm(Transpose::no, Transpose::no, -1.0, piece, probe, 1.0, error.view().row_range(first, piece.rows));
  });
  backend.gemm(Transpose::no, Transpose::no, -1.0, targets, probe, 1.0, error.view().row_range(before, targets.rows));
  solution.residual =
      relative_norm(backend, error, dot(backend, past.values(), past.values()) + backend.dot(targets, targets));
  return solution;
}

}  // namespace lyaplock
