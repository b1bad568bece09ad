// Eigenvalues and singular values, by cuSOLVER.
#include "backend/convergence.h"
#include "backend/counted_flops.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/transpose.h"
#include "backend/matrix.h"
#include "backend/row_major.h"
#include "base/error.h"

namespace lyaplock::cuda {

void CudaBackend::syevd(MatrixView<double> a, MatrixView<double> values) {
  if (a.empty()) return;
  count_flops(flops::syevd(a.rows));
  const int n = blas_size(a.rows), stride = blas_stride(a);
  // The library's iterations on NaN may end anywhere, or not at all.
  if (!lower_all_finite(a))
    throw Error(ErrorCode::not_finite, "A matrix whose eigenvectors are asked for holds NaN or infinity");
  Matrix<int> info(*this, 1, 1);
  Matrix<double> work;
  {
    const std::lock_guard lock(library_calls_);
    // The lower triangle arrives as the upper one; eigenvectors leave as columns, which are our rows.
    int work_size = 0;
    check(cusolverDnDsyevd_bufferSize(libraries_.solver, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, n, a.data,
                                      stride, values.data, &work_size),
          "syevd", a);
    work = Matrix<double>(*this, 1, static_cast<std::size_t>(work_size));
    check(cusolverDnDsyevd(libraries_.solver, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, n, a.data, stride,
                           values.data, work.view().data, work_size, info.view().data),
          "syevd", a);
  }
  check_converged("syevd", lyaplock::download<int>(*this, info.view()).front());
}

void CudaBackend::gesdd(MatrixView<double> a, MatrixView<double> u, MatrixView<double> values, MatrixView<double> vt) {
  if (a.empty()) return;
  if (a.cols < a.rows) {
    // The library wants at least as many of its rows, our columns: A^T = V diag(values) U^T has them.
    Matrix<double> a_transposed(*this, a.cols, a.rows), v_transposed(*this, vt.cols, vt.rows),
        u_transposed(*this, u.cols, u.rows);
    transpose<double>(*stream_, "gesdd", a, a_transposed, false);
    gesdd(a_transposed, v_transposed, values, u_transposed);
    transpose<double>(*stream_, "gesdd", v_transposed, vt, false);
    transpose<double>(*stream_, "gesdd", u_transposed, u, false);
    return;
  }
  count_flops(flops::gesdd(a.rows, a.cols));
  if (!all_finite(a))
    throw Error(ErrorCode::not_finite, "A matrix whose singular values are asked for holds NaN or infinity");
  const int m = blas_size(a.cols), n = blas_size(a.rows);
  Matrix<int> info(*this, 1, 1);
  Matrix<double> work, unconverged(*this, 1, a.rows);
  {
    const std::lock_guard lock(library_calls_);
    int work_size = 0;
    check(cusolverDnDgesvd_bufferSize(libraries_.solver, m, n, &work_size), "gesdd", a);
    work = Matrix<double>(*this, 1, static_cast<std::size_t>(work_size));
    // A^T = V diag(values) U^T: the library's left vectors are ours on the right, and each arrives transposed.
    check(cusolverDnDgesvd(libraries_.solver, 'S', 'S', m, n, a.data, blas_stride(a), values.data, vt.data,
                           blas_stride(vt), u.data, blas_stride(u), work.view().data, work_size,
                           unconverged.view().data, info.view().data),
          "gesdd", a);
  }
  check_converged("gesdd", lyaplock::download<int>(*this, info.view()).front());
}

}  // namespace lyaplock::cuda
