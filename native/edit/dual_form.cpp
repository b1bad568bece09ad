#include "edit/dual_form.h"

#include <cmath>

namespace lyaplock {

DualForm::DualForm(std::shared_ptr<const KeySpace> space)
    : space_(std::move(space)), whitened_(space_->width()), lifted_(space_->width()) {}

double DualForm::flops(std::size_t width, std::size_t value_width, std::size_t past, std::size_t batch) {
  const auto d = static_cast<double>(width), m = static_cast<double>(value_width), u = static_cast<double>(batch);
  const double n = static_cast<double>(past) + u;
  const double new_keys = 2 * d * d * u + 2 * d * n * u;
  const double factor_and_solve = n * n * n / 3 + 2 * m * n * n;
  const double drift = 2 * m * n * d;
  const double residual = 2 * m * n * n;
  return new_keys + factor_and_solve + drift + residual;
}

std::size_t DualForm::bytes() const { return whitened_.bytes() + lifted_.bytes() + gram_.bytes(); }

void DualForm::add_keys(ConstMatrixView<double> keys) {
  Backend& backend = *space_->backend();
  const Matrix<double> whitened = space_->whiten(keys);
  const Matrix<double> lifted = space_->lift(whitened);
  const std::size_t total = facts_ + keys.rows;
  if (total > gram_.rows()) {
    const std::size_t capacity = std::max(total, 2 * gram_.rows());
    Matrix<double> larger(backend, capacity, capacity);
    backend.copy(gram_.view().row_range(0, facts_).column_range(0, facts_),
                 larger.view().row_range(0, facts_).column_range(0, facts_));
    gram_ = std::move(larger);
  }
  whitened_.reserve(backend, keys.rows);
  lifted_.reserve(backend, keys.rows);
  whitened_.append(backend, whitened);
  lifted_.append(backend, lifted);
  backend.gemm(Transpose::no, Transpose::yes, 1.0, whitened, whitened_.view(), 0.0,
               gram_.view().row_range(facts_, keys.rows).column_range(0, total));
  facts_ = total;
}

void DualForm::drop_keys_after(std::size_t facts) {
  whitened_.shrink(facts);
  lifted_.shrink(facts);
  facts_ = facts;
}

void DualForm::catch_up(const Ledger& past) {
  for (const std::size_t end : past.batch_ends())
    if (end > facts_) add_keys(past.keys().row_range(facts_, end - facts_));
}

Solution DualForm::solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> values,
                         double weight) {
  Backend& backend = *space_->backend();
  catch_up(past);
  const std::size_t before = facts_, u = keys.rows, n = before + u, m = values.cols;
  add_keys(keys);
  try {
    MatrixView<double> gram = gram_.view().row_range(0, n).column_range(0, n);
    backend.mirror_lower(gram);

    Matrix<double> target(backend, n, m);
    backend.copy(past.values(), target.view().row_range(0, before));
    backend.copy(values, target.view().row_range(before, u));

    Matrix<double> system(backend, n, n);
    backend.copy(gram, system);
    const Matrix<double> weights = upload<double>(backend, std::vector<double>(n, weight), n, 1);
    backend.add_scaled(1.0, weights, MatrixView<double>(system.view().data, n, 1, n + 1));
    if (const std::size_t minor = backend.potrf(system); minor != 0)
      throw Error(ErrorCode::not_positive_definite, "G + μI of " + std::to_string(n) +
                                                        " facts is not positive definite at its leading minor " +
                                                        std::to_string(minor) + ", with μ = " + std::to_string(weight));
    Matrix<double> coefficients(backend, n, m);  // Q
    backend.copy(target, coefficients);
    backend.trsm(Side::left, Transpose::no, system, coefficients);
    backend.trsm(Side::left, Transpose::yes, system, coefficients);

    Solution solution;
    solution.drift = Matrix<double>(backend, m, keys.cols);
    backend.gemm(Transpose::yes, Transpose::no, 1.0, coefficients, lifted_.view(), 0.0, solution.drift);
    // tr(D C D^T) = <Q, G Q> = <Q, Y> - μ <Q, Q>, without forming D C.
    const double norm = backend.dot(coefficients, coefficients);
    solution.preservation_loss = backend.dot(coefficients, target) - weight * norm;
    // D k = Y - μ Q.
    solution.reached = Matrix<double>(backend, u, m);
    backend.copy(values, solution.reached);
    backend.add_scaled(-weight, coefficients.view().row_range(before, u), solution.reached);

    const double target_norm = std::sqrt(backend.dot(target, target));
    backend.gemm(Transpose::no, Transpose::no, 1.0, gram, coefficients, -1.0, target);
    backend.add_scaled(weight, coefficients, target);
    const double error = std::sqrt(backend.dot(target, target));
    solution.residual = target_norm > 0 ? error / target_norm : error;
    solution.flops = flops(keys.cols, m, before, u);
    // The batch enters for good with the next call, through the ledger; its keys need not be whitened twice.
    return solution;
  } catch (...) {
    drop_keys_after(before);
    throw;
  }
}

}  // namespace lyaplock
