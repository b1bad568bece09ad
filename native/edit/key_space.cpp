#include "edit/key_space.h"

#include <algorithm>
#include <cmath>

namespace lyaplock {

namespace {

/// The diagonal of a square matrix, on the host.
std::vector<double> diagonal_of(Backend& backend, ConstMatrixView<double> matrix) {
  Matrix<double> diagonal(backend, matrix.rows, 1);
  // Seen with a stride one longer, the diagonal is a column.
  backend.copy(ConstMatrixView<double>(matrix.data, matrix.rows, 1, matrix.stride + 1), diagonal);
  return download<double>(backend, diagonal.view());
}

void add_to_diagonal(Backend& backend, double value, MatrixView<double> matrix) {
  const std::vector<double> values(matrix.rows, value);
  const Matrix<double> column = upload<double>(backend, values, matrix.rows, 1);
  backend.add_scaled(1.0, column, MatrixView<double>(matrix.data, matrix.rows, 1, matrix.stride + 1));
}

}  // namespace

std::shared_ptr<const KeySpace> KeySpace::from_covariance(std::shared_ptr<Backend> backend,
                                                          ConstMatrixView<double> covariance, double ridge) {
  const std::size_t d = covariance.rows;
  if (d == 0 || covariance.cols != d)
    throw Error(ErrorCode::shape, "A covariance must be square; received " + shape_of(covariance));
  if (!backend->all_finite(covariance))
    throw Error(ErrorCode::not_finite, "The second moment holds NaN or infinity; gather it anew");
  if (!(ridge >= 0) || !std::isfinite(ridge))
    throw Error(ErrorCode::invalid_argument, "A ridge must be zero or positive; received " + std::to_string(ridge));

  std::shared_ptr<KeySpace> space(new KeySpace);
  space->covariance_ = Matrix<double>(*backend, d, d);
  backend->copy(covariance, space->covariance_);
  backend->mirror_lower(space->covariance_);
  if (ridge > 0) {
    double trace = 0;
    for (const double element : diagonal_of(*backend, covariance)) trace += element;
    space->ridge_ = ridge * trace / static_cast<double>(d);
    add_to_diagonal(*backend, space->ridge_, space->covariance_);
  }

  space->factor_ = Matrix<double>(*backend, d, d);
  backend->copy(space->covariance_, space->factor_);
  if (const std::size_t minor = backend->potrf(space->factor_); minor != 0)
    throw Error(
        ErrorCode::not_positive_definite,
        "The second moment is not positive definite: its leading minor " + std::to_string(minor) + " of " +
            std::to_string(d) +
            " is not positive. Gather it over more tokens (more than its width at the least), or allow a ridge");
  space->smallest_pivot_ = INFINITY;
  for (const double element : diagonal_of(*backend, space->factor_)) {
    space->smallest_pivot_ = std::min(space->smallest_pivot_, element * element);
    space->largest_pivot_ = std::max(space->largest_pivot_, element * element);
  }
  space->backend_ = std::move(backend);
  return space;
}

Matrix<double> KeySpace::whiten(ConstMatrixView<double> keys) const {
  if (keys.cols != width())
    throw Error(ErrorCode::shape,
                "Keys " + shape_of(keys) + " do not have the width of their key space, " + std::to_string(width()));
  Matrix<double> whitened(*backend_, keys.rows, keys.cols);
  backend_->copy(keys, whitened);
  backend_->trsm(Side::right, Transpose::yes, factor_, whitened);
  return whitened;
}

Matrix<double> KeySpace::lift(ConstMatrixView<double> whitened) const {
  if (whitened.cols != width())
    throw Error(ErrorCode::shape, "Whitened keys " + shape_of(whitened) +
                                      " do not have the width of their key space, " + std::to_string(width()));
  Matrix<double> lifted(*backend_, whitened.rows, whitened.cols);
  backend_->copy(whitened, lifted);
  backend_->trsm(Side::right, Transpose::no, factor_, lifted);
  return lifted;
}

}  // namespace lyaplock
