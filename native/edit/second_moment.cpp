#include "edit/second_moment.h"

#include <algorithm>

namespace lyaplock {

namespace {
// Bounds the float64 copy of a block of float32 keys: 1024 rows at d = 16384 are 128 MiB.
constexpr std::size_t kBlockRows = 1024;
}  // namespace

SecondMoment::SecondMoment(std::shared_ptr<Backend> backend, std::size_t width)
    : backend_(std::move(backend)), sum_(*backend_, width, width) {
  backend_->fill(0.0, sum_);
}

template <class T>
void SecondMoment::check(ConstMatrixView<T> keys) const {
  if (keys.cols != width())
    throw Error(ErrorCode::shape,
                "Keys " + shape_of(keys) + " do not have the width of their second moment, " + std::to_string(width()));
  if (!backend_->all_finite(keys))
    throw Error(ErrorCode::not_finite, "A key holds NaN or infinity; the model's activations have overflowed");
}

void SecondMoment::add(ConstMatrixView<float> keys) {
  check(keys);
  Matrix<double> block(*backend_, std::min(keys.rows, kBlockRows), keys.cols);
  for (std::size_t begin = 0; begin < keys.rows; begin += kBlockRows) {
    const std::size_t rows = std::min(kBlockRows, keys.rows - begin);
    const MatrixView<double> wide = block.view().row_range(0, rows);
    backend_->convert(keys.row_range(begin, rows), wide);
    backend_->syrk(Transpose::yes, 1.0, wide, 1.0, sum_);
  }
  count_ += keys.rows;
}

void SecondMoment::add(ConstMatrixView<double> keys) {
  check(keys);
  backend_->syrk(Transpose::yes, 1.0, keys, 1.0, sum_);
  count_ += keys.rows;
}

void SecondMoment::merge(const SecondMoment& other) {
  if (other.width() != width())
    throw Error(ErrorCode::shape, "Second moments of width " + std::to_string(width()) + " and " +
                                      std::to_string(other.width()) + " cannot be merged");
  backend_->add_scaled(1.0, other.sum_, sum_);
  count_ += other.count_;
}

Matrix<double> SecondMoment::mean() const {
  if (count_ == 0) throw Error(ErrorCode::invalid_argument, "A second moment has no mean before its first key");
  Matrix<double> mean(*backend_, width(), width());
  backend_->fill(0.0, mean);
  backend_->add_scaled(1.0 / static_cast<double>(count_), sum_, mean);
  backend_->mirror_lower(mean);
  return mean;
}

}  // namespace lyaplock
