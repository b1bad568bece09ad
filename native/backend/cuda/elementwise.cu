#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"

namespace lyaplock::cuda {

namespace {

template <class T>
void fill_with(cudaStream_t stream, T value, MatrixView<T> x) {
  over_elements(stream, "fill", [value] __device__(T & to) { to = value; }, x);
}

/// y = x, rounded to nearest where y is narrower.
template <class From, class To>
void copy_to(cudaStream_t stream, const char* operation, ConstMatrixView<From> x, MatrixView<To> y) {
  over_elements(stream, operation, [] __device__(const From& from, To& to) { to = static_cast<To>(from); }, x, y);
}

template <class T>
void add_multiple_of(cudaStream_t stream, T alpha, ConstMatrixView<T> x, MatrixView<T> y) {
  over_elements(stream, "add_scaled", [alpha] __device__(const T& from, T& to) { to += alpha * from; }, x, y);
}

/// The single row of `vector`, seen beside every row of a matrix.
template <class T>
MatrixView<T> beside_every_row(MatrixView<T> vector, std::size_t rows) {
  return {vector.data, rows, vector.cols, 0};
}

}  // namespace

void CudaBackend::fill(float value, MatrixView<float> x) { fill_with(*stream_, value, x); }
void CudaBackend::fill(double value, MatrixView<double> x) { fill_with(*stream_, value, x); }

void CudaBackend::copy(ConstMatrixView<float> x, MatrixView<float> y) { copy_to(*stream_, "copy", x, y); }
void CudaBackend::copy(ConstMatrixView<double> x, MatrixView<double> y) { copy_to(*stream_, "copy", x, y); }

void CudaBackend::convert(ConstMatrixView<float> x, MatrixView<double> y) { copy_to(*stream_, "convert", x, y); }
void CudaBackend::convert(ConstMatrixView<double> x, MatrixView<float> y) { copy_to(*stream_, "convert", x, y); }

void CudaBackend::convert(ConstMatrixView<Bfloat16> x, MatrixView<float> y) {
  over_elements(
      *stream_, "convert", [] __device__(const Bfloat16& from, float& to) { to = bfloat16_to_float32(from.bits); }, x,
      y);
}

void CudaBackend::add_scaled(float alpha, ConstMatrixView<float> x, MatrixView<float> y) {
  add_multiple_of(*stream_, alpha, x, y);
}
void CudaBackend::add_scaled(double alpha, ConstMatrixView<double> x, MatrixView<double> y) {
  add_multiple_of(*stream_, alpha, x, y);
}

void CudaBackend::add_rounded(ConstMatrixView<float> base, ConstMatrixView<double> drift, MatrixView<float> y) {
  over_elements(
      *stream_, "add_rounded",
      [] __device__(const float& from, const double& change, float& to) {
        to = static_cast<float>(static_cast<double>(from) + change);
      },
      base, drift, y);
}

void CudaBackend::add_bias(ConstMatrixView<float> bias, MatrixView<float> x) {
  over_elements(
      *stream_, "add_bias", [] __device__(float& to, const float& from) { to += from; }, x,
      beside_every_row(bias, x.rows));
}

void CudaBackend::scale_columns(ConstMatrixView<double> weights, MatrixView<double> x) {
  over_elements(
      *stream_, "scale_columns", [] __device__(double& to, const double& by) { to *= by; }, x,
      beside_every_row(weights, x.rows));
}

void CudaBackend::relative_change(ConstMatrixView<double> delta, ConstMatrixView<double> weight, double epsilon,
                                  MatrixView<double> out) {
  over_elements(
      *stream_, "relative_change",
      [epsilon] __device__(const double& from, const double& by, double& to) { to = fabs(from / (by + epsilon)); },
      delta, weight, out);
}

void CudaBackend::keep_at_least(ConstMatrixView<double> ratio, double threshold, MatrixView<double> x) {
  over_elements(
      *stream_, "keep_at_least",
      [threshold] __device__(const double& of, double& to) { to = of < threshold ? 0.0 : to; }, ratio, x);
}

}  // namespace lyaplock::cuda
