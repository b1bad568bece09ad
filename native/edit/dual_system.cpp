#include "edit/dual_system.h"

#include <utility>

#include "base/text.h"
#include "edit/diagonal.h"

namespace lyaplock {

DualSystem::DualSystem(std::shared_ptr<const KeySpace> space) : space_(std::move(space)), whitened_(space_->rank()) {}

void DualSystem::add(ConstMatrixView<double> whitened) {
  Backend& backend = *space_->backend();
  const std::size_t begin = rows();
  whitened_.append(backend, whitened);
  try {
    Matrix<double> products(backend, whitened.rows, rows());
    whitened_.each(0, rows(), [&](ConstMatrixView<double> piece, std::size_t first) {
      backend.gemm(Transpose::no, Transpose::yes, 1.0, whitened, piece, 0.0,
                   products.view().column_range(first, piece.rows));
    });
    gram_.append(backend, products);
  } catch (...) {
    whitened_.shrink(begin);
    throw;
  }
  const std::size_t panel_begin = begin / LowerTriangle::panel_rows * LowerTriangle::panel_rows;
  gram_.each(panel_begin, rows(), [&](MatrixView<double> panel, std::size_t first) {
    backend.mirror_lower(panel.column_range(first, panel.rows));
  });
}

void DualSystem::drop_after(std::size_t rows) {
  whitened_.shrink(rows);
  gram_.shrink(rows);
  factor_.shrink(rows);
}

BlockedRows DualSystem::release() {
  gram_.clear();
  factor_.clear();
  return std::exchange(whitened_, BlockedRows(space_->rank()));
}

void DualSystem::factor(double weight, std::size_t end, const Cancellation& cancellation) {
  if (weight != weight_) forget_factor();
  weight_ = weight;
  while (factor_.rows() < end) {
    cancellation.check();
    factor_piece(weight, end);
  }
}

/// The next piece of rows, which need those above it alone.
void DualSystem::factor_piece(double weight, std::size_t end) {
  Backend& backend = *space_->backend();
  const std::size_t first = factor_.rows();
  const std::size_t last = std::min(end, (first / LowerTriangle::panel_rows + 1) * LowerTriangle::panel_rows);
  gram_.each(first, last, [&](ConstMatrixView<double> panel, std::size_t) { factor_.append(backend, panel); });
  try {
    factor_.each(first, last, [&](MatrixView<double> panel, std::size_t) {
      const MatrixView<double> left = panel.column_range(0, first);
      const MatrixView<double> diagonal = panel.column_range(first, panel.rows);
      add_to_diagonal(backend, weight, diagonal);
      factor_.solve_right_transposed(backend, left);
      backend.syrk(Transpose::no, -1.0, left, 1.0, diagonal);
      if (const std::size_t minor = backend.potrf(diagonal); minor != 0)
        throw Error(ErrorCode::not_positive_definite,
                    "G + μI of " + std::to_string(end) + " facts is not positive definite at its leading minor " +
                        std::to_string(first + minor) + ", with μ = " + to_text(weight) +
                        ": the key of that fact is a combination of those before it. Give a larger weight, or leave "
                        "the fact out");
    });
  } catch (...) {
    factor_.shrink(first);
    throw;
  }
}

Border DualSystem::border(std::size_t begin, std::size_t end) const {
  Backend& backend = *space_->backend();
  Border border{.begin = begin,
                .end = end,
                .coupling = factor_.copy(backend, begin, end, 0, begin),
                .diagonal = factor_.copy(backend, begin, end, begin, end)};
  factor_.solve_right(backend, border.coupling);
  return border;
}

Matrix<double> DualSystem::solve_rows(const Border& border, const BlockedRows& x) const {
  Backend& backend = *space_->backend();
  Matrix<double> solved = x.copy(backend, border.begin, border.end);
  x.each(0, border.begin, [&](ConstMatrixView<double> piece, std::size_t first) {
    backend.gemm(Transpose::no, Transpose::no, -1.0, border.coupling.view().column_range(first, piece.rows), piece, 1.0,
                 solved);
  });
  backend.trsm(Side::left, Transpose::no, border.diagonal, solved);
  return solved;
}

void DualSystem::solve(BlockedRows& x) const {
  Backend& backend = *space_->backend();
  factor_.solve_left(backend, x);
  factor_.solve_left_transposed(backend, x);
}

Matrix<double> DualSystem::multiply(ConstMatrixView<double> x) const {
  Backend& backend = *space_->backend();
  Matrix<double> product(backend, x.rows, x.cols);
  backend.fill(0.0, product);
  backend.add_scaled(weight_, x, product);
  gram_.each(0, x.rows, [&](ConstMatrixView<double> panel, std::size_t first) {
    const ConstMatrixView<double> here = x.row_range(first, panel.rows);
    const ConstMatrixView<double> left = panel.column_range(0, first);
    backend.gemm(Transpose::no, Transpose::no, 1.0, panel, x.row_range(0, panel.cols), 1.0,
                 product.view().row_range(first, panel.rows));
    backend.gemm(Transpose::yes, Transpose::no, 1.0, left, here, 1.0, product.view().row_range(0, first));
  });
  return product;
}

}  // namespace lyaplock
