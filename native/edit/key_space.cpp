#include "edit/key_space.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "edit/diagonal.h"
#include "edit/probes.h"

namespace lyaplock {

namespace {

/// More than float32 rounding of two triangles that were summed apart, and less than any of them missing.
constexpr double largest_asymmetry = 1e-5;
/// Of a pivot relative to its diagonal element. Half the digits are gone by then; second moments over enough text are
/// some orders of magnitude above.
constexpr double smallest_sound_pivot = 1e-10;

double norm(Backend& backend, ConstMatrixView<double> x) { return std::sqrt(backend.dot(x, x)); }

void check_covariance(Backend& backend, ConstMatrixView<double> covariance) {
  if (covariance.rows == 0 || covariance.cols != covariance.rows)
    throw Error(ErrorCode::shape, "A covariance must be square; received " + shape_of(covariance));
  if (!backend.all_finite(covariance))
    throw Error(ErrorCode::not_finite, "The second moment holds NaN or infinity; gather it anew");
  const double difference = relative_asymmetry(backend, covariance);
  if (!(difference <= largest_asymmetry))
    throw Error(ErrorCode::not_symmetric,
                "The second moment is not symmetric: it differs from its transpose by " + to_text(difference) +
                    " of its norm. Fill both triangles, with the mean of k k^T over the keys");
}

/// Steps of the power iteration: enough for the order of magnitude.
constexpr int power_steps = 6;

/// The largest eigenvalue of a symmetric positive map, from below: apply(x) replaces x [1, d].
template <class Apply>
double largest_eigenvalue(Backend& backend, std::size_t d, const Apply& apply) {
  Matrix<double> x(backend, 1, d);
  backend.copy(ConstMatrixView<double>(probes(backend, d).view().data, 1, d), x);
  double eigenvalue = 0;
  for (int step = 0; step < power_steps; ++step) {
    const Matrix<double> scale = upload<double>(backend, std::vector<double>(d, 1 / norm(backend, x)), 1, d);
    backend.scale_columns(scale, x);
    apply(x.view());
    eigenvalue = norm(backend, x);
  }
  return eigenvalue;
}

[[noreturn]] void throw_singular(std::size_t row, std::size_t d, bool dead) {
  throw Error(ErrorCode::not_positive_definite,
              "The second moment is not positive definite: its leading minor " + std::to_string(row) + " of " +
                  std::to_string(d) + " is not positive" + (dead ? " (that entry of the keys is always zero)" : "") +
                  ". Gather it over more tokens (more than its width at the least), or allow a ridge");
}

}  // namespace

std::shared_ptr<const KeySpace> KeySpace::from_covariance(std::shared_ptr<Backend> backend,
                                                          ConstMatrixView<double> covariance, double ridge) {
  check_covariance(*backend, covariance);
  if (!(ridge >= 0) || !std::isfinite(ridge))
    throw Error(ErrorCode::invalid_argument, "A ridge must be zero or positive; received " + to_text(ridge));
  const std::size_t d = covariance.rows;

  std::shared_ptr<KeySpace> space(new KeySpace);
  std::vector<double> diagonal = download_diagonal(*backend, covariance);
  if (ridge > 0) {
    double trace = 0;
    for (const double element : diagonal) trace += element;
    space->ridge_ = ridge * trace / static_cast<double>(d);
    for (double& element : diagonal) element += space->ridge_;
  }
  Matrix<double> factor(*backend, d, d);
  backend->copy(covariance, factor);
  if (ridge > 0) add_to_diagonal(*backend, space->ridge_, factor);
  if (const std::size_t minor = backend->potrf(factor); minor != 0) throw_singular(minor, d, diagonal[minor - 1] == 0);

  // A pivot is what is left of a diagonal element when all rows before it have been taken out: relative to the element
  // it tells how far the row is from being a combination of those.
  const double rounding = static_cast<double>(d) * std::numeric_limits<double>::epsilon();
  double smallest_share = INFINITY;
  std::size_t weakest = 0;
  const std::vector<double> roots = download_diagonal(*backend, factor);
  for (std::size_t i = 0; i < d; ++i) {
    const double share = roots[i] * roots[i] / diagonal[i];
    if (share < smallest_share) {
      smallest_share = share;
      weakest = i + 1;
    }
  }
  if (d > 1 && smallest_share <= rounding) throw_singular(weakest, d, false);
  if (smallest_share < smallest_sound_pivot)
    throw Error(ErrorCode::ill_conditioned,
                "The second moment is too ill-conditioned to be solved with: of row " + std::to_string(weakest) +
                    " of " + std::to_string(d) + ", only " + to_text(smallest_share) +
                    " is not a combination of the rows before it. Gather it over more tokens, or allow a ridge");

  space->backend_ = std::move(backend);
  space->take_factor(std::move(factor));
  return space;
}

std::shared_ptr<const KeySpace> KeySpace::from_factor(std::shared_ptr<Backend> backend, ConstMatrixView<double> factor,
                                                      double ridge) {
  const std::size_t d = factor.rows;
  if (d == 0 || factor.cols != d)
    throw Error(ErrorCode::shape, "A factor must be square; received " + shape_of(factor));
  if (!backend->all_finite(factor))
    throw Error(ErrorCode::not_finite, "The factor of a second moment holds NaN or infinity; factor it anew");
  for (const double root : download_diagonal(*backend, factor))
    if (!(root > 0))
      throw Error(ErrorCode::invalid_argument, "The diagonal of a factor must be positive; received " + to_text(root));
  std::shared_ptr<KeySpace> space(new KeySpace);
  Matrix<double> copy(*backend, d, d);
  backend->copy(factor, copy);
  space->ridge_ = ridge;
  space->backend_ = std::move(backend);
  space->take_factor(std::move(copy));
  return space;
}

void KeySpace::take_factor(Matrix<double> factor) {
  const std::size_t d = factor.rows();
  for (std::size_t row = 0; row + 1 < d; ++row)
    backend_->fill(0.0, factor.view().row_range(row, 1).column_range(row + 1, d - row - 1));
  basis_ = std::move(factor);

  smallest_pivot_ = INFINITY;
  for (const double root : download_diagonal(*backend_, basis_)) {
    smallest_pivot_ = std::min(smallest_pivot_, root * root);
    largest_pivot_ = std::max(largest_pivot_, root * root);
  }
  Matrix<double> product(*backend_, 1, d);
  const double largest = largest_eigenvalue(*backend_, d, [&](MatrixView<double> x) {  // x L L^T
    backend_->gemm(Transpose::no, Transpose::no, 1.0, x, basis_.view(), 0.0, product);
    backend_->gemm(Transpose::no, Transpose::yes, 1.0, product.view(), basis_.view(), 0.0, x);
  });
  const double inverse_of_smallest = largest_eigenvalue(*backend_, d, [&](MatrixView<double> x) {
    backend_->trsm(Side::right, Transpose::yes, basis_, x);
    backend_->trsm(Side::right, Transpose::no, basis_, x);
  });
  condition_ = std::max(1.0, largest * inverse_of_smallest);
}

Matrix<double> KeySpace::factor() const {
  if (!is_white()) throw Error(ErrorCode::invalid_argument, "A null space has no factor");
  return basis_.share();
}

std::shared_ptr<const KeySpace> KeySpace::from_null_space(std::shared_ptr<Backend> backend,
                                                          ConstMatrixView<double> covariance, double threshold) {
  check_covariance(*backend, covariance);
  if (!(threshold > 0) || !std::isfinite(threshold))
    throw Error(ErrorCode::invalid_argument,
                "The threshold of a null space must be positive; received " + to_text(threshold));
  const std::size_t d = covariance.rows;
  Matrix<double> vectors(*backend, d, d), eigenvalues(*backend, 1, d);
  backend->copy(covariance, vectors);
  backend->syevd(vectors, eigenvalues);
  std::vector<double> values = download<double>(*backend, eigenvalues.view());
  const auto rank =
      static_cast<std::size_t>(std::lower_bound(values.begin(), values.end(), threshold) - values.begin());
  if (rank == 0)
    throw Error(ErrorCode::invalid_argument, "The second moment has no null space: its smallest eigenvalue is " +
                                                 to_text(values.front()) + ", and the threshold " + to_text(threshold) +
                                                 ". Give a larger one");

  std::shared_ptr<KeySpace> space(new KeySpace);
  space->condition_ = values.front() > 0 ? values.back() / values.front() : INFINITY;
  // Those of a second moment are not negative but for rounding.
  for (double& value : values) value = std::max(0.0, value);
  values.resize(rank);
  space->eigenvalues_ = upload<double>(*backend, values, 1, rank);
  space->basis_ = Matrix<double>(*backend, rank, d);
  backend->copy(vectors.view().row_range(0, rank), space->basis_);
  space->backend_ = std::move(backend);
  return space;
}

void KeySpace::check_width(ConstMatrixView<double> rows, std::size_t width, const char* name) const {
  if (rows.cols != width)
    throw Error(ErrorCode::shape, std::string(name) + " " + shape_of(rows) +
                                      " must have the width of their key space, " + std::to_string(width));
}

Matrix<double> KeySpace::whiten(ConstMatrixView<double> keys) const {
  check_width(keys, width(), "Keys");
  Matrix<double> whitened(*backend_, keys.rows, rank());
  if (is_white()) {
    backend_->copy(keys, whitened);
    backend_->trsm(Side::right, Transpose::yes, basis_, whitened);
  } else {
    backend_->gemm(Transpose::no, Transpose::yes, 1.0, keys, basis_.view(), 0.0, whitened);
  }
  return whitened;
}

Matrix<double> KeySpace::lift(ConstMatrixView<double> whitened) const {
  Matrix<double> lifted(*backend_, whitened.rows, width());
  lift(whitened, lifted);
  return lifted;
}

void KeySpace::lift(ConstMatrixView<double> whitened, MatrixView<double> out) const {
  check_width(whitened, rank(), "Whitened keys");
  if (is_white()) {
    backend_->copy(whitened, out);
    backend_->trsm(Side::right, Transpose::no, basis_, out);
  } else {
    backend_->gemm(Transpose::no, Transpose::no, 1.0, whitened, basis_.view(), 0.0, out);
  }
}

double KeySpace::preservation_loss(ConstMatrixView<double> whitened_drift) const {
  if (is_white()) return backend_->dot(whitened_drift, whitened_drift);
  Matrix<double> weighted(*backend_, whitened_drift.rows, whitened_drift.cols);
  backend_->copy(whitened_drift, weighted);
  backend_->scale_columns(eigenvalues_, weighted);
  return backend_->dot(whitened_drift, weighted.view());
}

double KeySpace::drift_loss(ConstMatrixView<double> drift) const {
  if (!is_white()) return preservation_loss(whiten(drift));
  check_width(drift, width(), "A drift");
  Matrix<double> whitened(*backend_, drift.rows, drift.cols);
  backend_->gemm(Transpose::no, Transpose::no, 1.0, drift, basis_.view(), 0.0, whitened);
  return preservation_loss(whitened);
}

double KeySpace::flops_of_row() const {
  const auto d = static_cast<double>(width()), r = static_cast<double>(rank());
  return is_white() ? d * d : 2 * d * r;
}

}  // namespace lyaplock
