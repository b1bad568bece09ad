#include "edit/singular_values.h"

#include <algorithm>
#include <cmath>

namespace lyaplock {

double largest_singular_value(Backend& backend, ConstMatrixView<double> matrix) {
  if (matrix.empty()) return 0;
  // The root of the largest eigenvalue of A A^T is as accurate as the singular value itself, for a fraction of the
  // work.
  Matrix<double> products(backend, matrix.rows, matrix.rows), values(backend, 1, matrix.rows);
  backend.syrk(Transpose::no, 1.0, matrix, 0.0, products);
  backend.syevd(products, values);
  return std::sqrt(std::max(0.0, download<double>(backend, values.view()).back()));
}

Matrix<double> compress_singular_values(Backend& backend, ConstMatrixView<double> drift,
                                        ConstMatrixView<double> original) {
  if (drift.rows != original.rows || drift.cols != original.cols)
    throw Error(ErrorCode::shape,
                "A drift " + shape_of(drift) + " and its weight " + shape_of(original) + " must agree");
  const double limit = largest_singular_value(backend, original);
  if (!(limit > 0))
    throw Error(ErrorCode::invalid_argument, "The original weight is zero: its singular values cannot be a measure");

  const std::size_t rank = std::min(drift.rows, drift.cols);
  Matrix<double> copy(backend, drift.rows, drift.cols), u(backend, drift.rows, rank), values(backend, 1, rank),
      vt(backend, rank, drift.cols);
  backend.copy(drift, copy);
  backend.gesdd(copy, u, values, vt);
  std::vector<double> singular = download<double>(backend, values.view());
  for (double& s : singular)
    if (s > limit) s = std::log(s) - std::log(limit) + limit;
  backend.scale_columns(upload<double>(backend, singular, 1, rank), u);
  Matrix<double> compressed(backend, drift.rows, drift.cols);
  backend.gemm(Transpose::no, Transpose::no, 1.0, u.view(), vt.view(), 0.0, compressed);
  return compressed;
}

}  // namespace lyaplock
