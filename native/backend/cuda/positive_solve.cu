// Positive definite systems, by factors of float64, or of float32 and refinement.
#include <cmath>
#include <limits>
#include <utility>

#include "backend/counted_flops.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"
#include "backend/matrix.h"
#include "backend/row_major.h"

namespace lyaplock::cuda {

namespace {

/// Each step gains some digits of the seven that float32 has; what has not come down after so many does not converge.
constexpr int most_steps = 30;

/// y = float(scale * x).
void narrow_scaled(cudaStream_t stream, double scale, ConstMatrixView<double> x, MatrixView<float> y) {
  over_elements(
      stream, "solve_positive",
      [scale] __device__(const double& from, float& to) { to = static_cast<float>(scale * from); }, x, y);
}

/// y += scale * x.
void add_widened(cudaStream_t stream, double scale, ConstMatrixView<float> x, MatrixView<double> y) {
  over_elements(
      stream, "solve_positive",
      [scale] __device__(const float& from, double& to) { to += scale * static_cast<double>(from); }, x, y);
}

}  // namespace

std::size_t CudaBackend::solve_positive(MatrixView<double> a, MatrixView<double> b) {
  // A step of refinement takes 2 n k² operations of float64, the factor k³ / 3: beyond this, three steps cost more.
  const bool is_worthwhile = b.rows < a.rows / 18;
  if (options_.refined_solve && is_worthwhile && !b.empty()) {
    Matrix<double> x(*this, b.rows, b.cols);
    if (solve_refined(a, b, x)) {
      copy(std::as_const(x).view(), b);
      return 0;
    }
  }
  if (const std::size_t minor = potrf(a); minor != 0) return minor;
  trsm(Side::right, Transpose::yes, a, b);
  trsm(Side::right, Transpose::no, a, b);
  return 0;
}

bool CudaBackend::solve_refined(ConstMatrixView<double> a, ConstMatrixView<double> b, MatrixView<double> x) {
  const double a_norm = std::sqrt(dot(a, a));
  const double b_norm = std::sqrt(dot(b, b));
  if (!std::isfinite(a_norm) || !std::isfinite(b_norm) || a_norm == 0) return false;
  fill(0.0, x);
  if (b_norm == 0) return true;

  // Norms are taken out before numbers are rounded, so that float32 has room for all of them.
  Matrix<float> factor(*this, a.rows, a.cols), correction(*this, b.rows, b.cols);
  narrow_scaled(*stream_, 1 / a_norm, a, factor);
  if (factor_single(factor) != 0) return false;
  Matrix<double> residual(*this, b.rows, b.cols);
  copy(b, residual);
  double residual_norm = b_norm;
  for (int step = 0; step < most_steps; ++step) {
    narrow_scaled(*stream_, 1 / residual_norm, std::as_const(residual).view(), correction);
    solve_single(Transpose::yes, std::as_const(factor).view(), correction);
    solve_single(Transpose::no, std::as_const(factor).view(), correction);
    add_widened(*stream_, residual_norm / a_norm, std::as_const(correction).view(), x);
    copy(b, residual);
    gemm(Transpose::no, Transpose::no, -1.0, ConstMatrixView<double>(x), a, 1.0, residual);
    const double norm = std::sqrt(dot(std::as_const(residual).view(), std::as_const(residual).view()));
    const double x_norm = std::sqrt(dot(ConstMatrixView<double>(x), ConstMatrixView<double>(x)));
    // What a factor of float64 leaves (LAPACK's dsposv stops by the same measure).
    const double bound =
        std::sqrt(static_cast<double>(a.rows)) * std::numeric_limits<double>::epsilon() * a_norm * x_norm;
    if (norm <= bound) return true;
    if (!(norm < residual_norm / 2)) return false;
    residual_norm = norm;
  }
  return false;
}

std::size_t CudaBackend::factor_single(MatrixView<float> a) {
  count_flops(flops::potrf(a.rows));
  const int n = blas_size(a.rows), stride = blas_stride(a);
  Matrix<int> info(*this, 1, 1);
  Matrix<float> work;
  {
    const std::lock_guard lock(library_calls_);
    int work_size = 0;
    check(cusolverDnSpotrf_bufferSize(libraries_.solver, CUBLAS_FILL_MODE_UPPER, n, a.data, stride, &work_size),
          "solve_positive", a);
    work = Matrix<float>(*this, 1, static_cast<std::size_t>(work_size));
    check(cusolverDnSpotrf(libraries_.solver, CUBLAS_FILL_MODE_UPPER, n, a.data, stride, work.view().data, work_size,
                           info.view().data),
          "solve_positive", a);
  }
  return static_cast<std::size_t>(lyaplock::download<int>(*this, std::as_const(info).view()).front());
}

void CudaBackend::solve_single(Transpose l_op, ConstMatrixView<float> l, MatrixView<float> x) {
  count_flops(flops::trsm(l.rows, x.rows));
  const float one = 1.0F;
  const std::lock_guard lock(library_calls_);
  // From the right of rows is from the left of columns; L arrives as the upper L^T (row_major.h).
  check(cublasStrsm(libraries_.blas, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER,
                    l_op == Transpose::no ? CUBLAS_OP_N : CUBLAS_OP_T, CUBLAS_DIAG_NON_UNIT, blas_size(x.cols),
                    blas_size(x.rows), &one, l.data, blas_stride(l), x.data, blas_stride(x)),
        "solve_positive", l, x);
}

}  // namespace lyaplock::cuda
