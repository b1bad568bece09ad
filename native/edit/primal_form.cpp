#include "edit/primal_form.h"

#include <cmath>

namespace lyaplock {

PrimalForm::PrimalForm(std::shared_ptr<const KeySpace> space, std::size_t value_width)
    : space_(std::move(space)), value_width_(value_width) {}

double PrimalForm::flops(std::size_t width, std::size_t value_width, std::size_t batch) {
  const auto d = static_cast<double>(width), m = static_cast<double>(value_width), u = static_cast<double>(batch);
  const double sums = d * d * u + 2 * m * d * u;
  const double factor_and_solve = d * d * d / 3 + 2 * m * d * d;
  const double loss_and_residual = 4 * m * d * d;
  return sums + factor_and_solve + loss_and_residual;
}

void PrimalForm::catch_up(const Ledger& past) {
  Backend& backend = *space_->backend();
  if (key_moment_.empty()) {
    const std::size_t d = space_->width();
    Matrix<double> key_moment(backend, d, d), value_key(backend, value_width_, d);
    backend.fill(0.0, key_moment);
    backend.fill(0.0, value_key);
    key_moment_ = std::move(key_moment);
    value_key_ = std::move(value_key);
  }
  for (const std::size_t end : past.batch_ends()) {
    if (end <= facts_) continue;
    const ConstMatrixView<double> keys = past.keys().row_range(facts_, end - facts_);
    const ConstMatrixView<double> values = past.values().row_range(facts_, end - facts_);
    backend.syrk(Transpose::yes, 1.0, keys, 1.0, key_moment_);
    backend.gemm(Transpose::yes, Transpose::no, 1.0, values, keys, 1.0, value_key_);
    facts_ = end;
  }
}

Solution PrimalForm::solve(const Ledger& past, ConstMatrixView<double> keys, ConstMatrixView<double> values,
                           double weight) {
  Backend& backend = *space_->backend();
  const std::size_t d = space_->width(), m = value_width_;
  catch_up(past);

  Matrix<double> system(backend, d, d);  // S + μ C
  backend.copy(key_moment_, system);
  backend.syrk(Transpose::yes, 1.0, keys, 1.0, system);
  backend.add_scaled(weight, space_->covariance(), system);
  backend.mirror_lower(system);

  Matrix<double> right(backend, m, d);  // N
  backend.copy(value_key_, right);
  backend.gemm(Transpose::yes, Transpose::no, 1.0, values, keys, 1.0, right);

  Matrix<double> factor(backend, d, d);
  backend.copy(system, factor);
  if (const std::size_t minor = backend.potrf(factor); minor != 0)
    throw Error(ErrorCode::not_positive_definite, "S + μC of width " + std::to_string(d) +
                                                      " is not positive definite at its leading minor " +
                                                      std::to_string(minor) + ", with μ = " + std::to_string(weight));
  Solution solution;
  solution.drift = Matrix<double>(backend, m, d);
  backend.copy(right, solution.drift);
  backend.trsm(Side::right, Transpose::yes, factor, solution.drift);
  backend.trsm(Side::right, Transpose::no, factor, solution.drift);

  Matrix<double> product(backend, m, d);
  backend.gemm(Transpose::no, Transpose::no, 1.0, solution.drift, space_->covariance(), 0.0, product);
  solution.preservation_loss = backend.dot(product, solution.drift);
  solution.reached = Matrix<double>(backend, keys.rows, m);
  backend.gemm(Transpose::no, Transpose::yes, 1.0, keys, solution.drift, 0.0, solution.reached);

  const double right_norm = std::sqrt(backend.dot(right, right));
  backend.gemm(Transpose::no, Transpose::no, 1.0, solution.drift, system, -1.0, right);
  const double error = std::sqrt(backend.dot(right, right));
  solution.residual = right_norm > 0 ? error / right_norm : error;
  solution.flops = flops(d, m, keys.rows);
  return solution;
}

}  // namespace lyaplock
