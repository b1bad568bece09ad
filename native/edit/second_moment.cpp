#include "edit/second_moment.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/text.h"
#include "edit/probes.h"

namespace lyaplock {

namespace {

// What a block costs beside its products is one pass over the sum, which is little of it from here on; float32 products
// are faster, and have a pass more. At d = 16384 the buffers are 128 and 256 MiB.
constexpr std::size_t kWideBlockRows = 1024;
constexpr std::size_t kNarrowBlockRows = 4096;
// 32 rows of a sum [6400, 6400] are 1.6 MiB: a band stays in the cache of the threads between its two steps.
constexpr std::size_t kBandRows = 32;
// Relative, of a sum: GPUs round the two triangles of a float32 product differently, and published files hold such
// sums.
constexpr double kLargestAsymmetry = 1e-4;

void place(Backend& backend, ConstMatrixView<float> keys, MatrixView<float> rows) { backend.copy(keys, rows); }
void place(Backend& backend, ConstMatrixView<double> keys, MatrixView<double> rows) { backend.copy(keys, rows); }
void place(Backend& backend, ConstMatrixView<float> keys, MatrixView<double> rows) { backend.convert(keys, rows); }
void place(Backend& backend, ConstMatrixView<double> keys, MatrixView<float> rows) { backend.convert(keys, rows); }

}  // namespace

SecondMoment::SecondMoment(std::shared_ptr<Backend> backend, std::size_t width, MomentPrecision precision)
    : backend_(std::move(backend)), precision_(precision), sum_(*backend_, width, width) {
  backend_->fill(0.0, sum_);
}

std::shared_ptr<SecondMoment> SecondMoment::from_sum(std::shared_ptr<Backend> backend, ConstMatrixView<double> sum,
                                                     std::uint64_t count, MomentPrecision precision) {
  if (sum.rows == 0 || sum.rows != sum.cols)
    throw Error(ErrorCode::shape, "A sum of second moments must be square; received " + shape_of(sum));
  if (!backend->all_finite(sum))
    throw Error(ErrorCode::not_finite, "The sum of a second moment holds NaN or infinity; gather it anew");
  if (const double difference = relative_asymmetry(*backend, sum); !(difference <= kLargestAsymmetry))
    throw Error(ErrorCode::not_symmetric,
                "The sum of a second moment must be symmetric; this one differs from its "
                "transpose by " +
                    to_text(difference) + " of its norm");
  auto moment = std::make_shared<SecondMoment>(std::move(backend), sum.rows, precision);
  Backend& on = *moment->backend_;
  on.copy(sum, moment->sum_);
  on.mirror_lower(moment->sum_);
  moment->count_ = count;
  return moment;
}

void SecondMoment::add(ConstMatrixView<float> keys) { check_and_add(keys); }
void SecondMoment::add(ConstMatrixView<double> keys) { check_and_add(keys); }

template <class Key>
void SecondMoment::check_and_add(ConstMatrixView<Key> keys) {
  if (keys.cols != width())
    throw Error(ErrorCode::shape,
                "Keys " + shape_of(keys) + " do not have the width of their second moment, " + std::to_string(width()));
  if (!backend_->all_finite(keys))
    throw Error(ErrorCode::not_finite, "A key holds NaN or infinity; the model's activations have overflowed");
  make_room();
  if (precision_ == MomentPrecision::float64)
    add_blocks(keys, wide_);
  else
    add_blocks(keys, narrow_);
  count_ += keys.rows;
}

/// Nothing after this allocates, so that an `add` that fails for want of memory has changed nothing.
void SecondMoment::make_room() {
  const std::size_t d = width();
  if (precision_ == MomentPrecision::float64) {
    if (wide_.empty()) wide_ = Matrix<double>(*backend_, kWideBlockRows, d);
  } else if (band_.empty()) {
    narrow_ = Matrix<float>(*backend_, kNarrowBlockRows, d);
    block_sum_ = Matrix<float>(*backend_, d, d);
    backend_->fill(0.0F, block_sum_);
    band_ = Matrix<double>(*backend_, kBandRows, d);
  }
}

template <class Key, class T>
void SecondMoment::add_blocks(ConstMatrixView<Key> keys, Matrix<T>& waiting) {
  std::size_t begin = 0;
  while (begin < keys.rows) {
    const std::size_t left = keys.rows - begin;
    if constexpr (std::is_same_v<Key, T>) {
      if (waiting_ == 0 && left >= waiting.rows()) {  // a whole block where it is
        accumulate(keys.row_range(begin, waiting.rows()));
        begin += waiting.rows();
        continue;
      }
    }
    const std::size_t rows = std::min(left, waiting.rows() - waiting_);
    place(*backend_, keys.row_range(begin, rows), waiting.view().row_range(waiting_, rows));
    waiting_ += rows;
    begin += rows;
    if (waiting_ == waiting.rows()) flush();
  }
}

void SecondMoment::flush() {
  if (waiting_ == 0) return;
  if (precision_ == MomentPrecision::float64)
    accumulate(first_rows(std::as_const(wide_), waiting_));
  else
    accumulate(first_rows(std::as_const(narrow_), waiting_));
  waiting_ = 0;
}

void SecondMoment::accumulate(ConstMatrixView<double> keys) { backend_->syrk(Transpose::yes, 1.0, keys, 1.0, sum_); }

void SecondMoment::accumulate(ConstMatrixView<float> keys) {
  backend_->syrk(Transpose::yes, 1.0F, keys, 0.0F, block_sum_);
  for (std::size_t begin = 0; begin < width(); begin += kBandRows) {
    const std::size_t rows = std::min(kBandRows, width() - begin);
    const std::size_t end = begin + rows;  // the diagonal, up to which the rows are filled
    const MatrixView<double> band = first_rows(band_, rows).column_range(0, end);
    // The upper triangle of the diagonal block comes along, and no one reads it.
    backend_->convert(std::as_const(block_sum_).view().row_range(begin, rows).column_range(0, end), band);
    backend_->add_scaled(1.0, band, sum_.view().row_range(begin, rows).column_range(0, end));
  }
}

void SecondMoment::merge(SecondMoment& other) {
  if (other.width() != width())
    throw Error(ErrorCode::shape, "Second moments of width " + std::to_string(width()) + " and " +
                                      std::to_string(other.width()) + " cannot be merged");
  if (other.precision_ != precision_)
    throw Error(ErrorCode::invalid_argument, "Second moments of different precision cannot be merged");
  if (&other == this) throw Error(ErrorCode::invalid_argument, "A second moment cannot be merged with itself");
  flush();
  other.flush();
  backend_->add_scaled(1.0, other.sum_, sum_);
  count_ += other.count_;
}

Matrix<double> SecondMoment::sum() {
  flush();
  Matrix<double> sum(*backend_, width(), width());
  backend_->copy(sum_, sum);
  backend_->mirror_lower(sum);
  if (!backend_->all_finite(sum))
    throw Error(ErrorCode::not_finite, precision_ == MomentPrecision::float32
                                           ? "Products of keys have overflowed float32; sum them in float64"
                                           : "Products of keys have overflowed");
  return sum;
}

Matrix<double> SecondMoment::mean() {
  if (count_ == 0) throw Error(ErrorCode::invalid_argument, "A second moment has no mean before its first key");
  const Matrix<double> total = sum();
  Matrix<double> mean(*backend_, width(), width());
  backend_->fill(0.0, mean);
  backend_->add_scaled(1.0 / static_cast<double>(count_), total, mean);
  return mean;
}

}  // namespace lyaplock
