// Eigenvalues and singular values, by LAPACK's divide and conquer, on one thread: half of the work is products of a
// matrix and a vector, which wait for memory however many threads ask for it.
#include "backend/convergence.h"
#include "backend/counted_flops.h"
#include "backend/cpu/blas.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/row_major.h"
#include "backend/matrix.h"
#include "base/error.h"

namespace lyaplock::cpu {

namespace {

/// A size of workspace that LAPACK asks for in a number of the matrix's kind.
int workspace_size(double asked) { return blas_size(static_cast<std::size_t>(asked)); }

}  // namespace

void CpuBackend::syevd(MatrixView<double> a, MatrixView<double> values) {
  if (a.empty()) return;
  count_flops(flops::syevd(a.rows));
  // LAPACK's iterations on NaN may end anywhere, or not at all.
  for (std::size_t i = 0; i < a.rows; ++i)
    if (!all_finite(ConstMatrixView<double>(a.row(i), 1, i + 1)))
      throw Error(ErrorCode::not_finite,
                  "A matrix whose eigenvectors are asked for holds NaN or infinity in row " + std::to_string(i));
  const int n = blas_size(a.rows);
  const int stride = blas_stride(a);
  const int ask = -1;
  double work_asked = 0;
  int integers_asked = 0;
  int info = 0;
  // The lower triangle arrives as the upper one; eigenvectors leave as columns, which are our rows.
  dsyevd_("V", "U", &n, a.data, &stride, values.data, &work_asked, &ask, &integers_asked, &ask, &info);
  check_converged("dsyevd", info);
  const int work_size = workspace_size(work_asked);
  Matrix<double> work(*this, 1, static_cast<std::size_t>(work_size));
  Matrix<int> integers(*this, 1, static_cast<std::size_t>(integers_asked));
  dsyevd_("V", "U", &n, a.data, &stride, values.data, work.view().data, &work_size, integers.view().data,
          &integers_asked, &info);
  check_converged("dsyevd", info);
}

void CpuBackend::gesdd(MatrixView<double> a, MatrixView<double> u, MatrixView<double> values, MatrixView<double> vt) {
  if (a.empty()) return;
  count_flops(flops::gesdd(a.rows, a.cols));
  if (!all_finite(a))
    throw Error(ErrorCode::not_finite, "A matrix whose singular values are asked for holds NaN or infinity");
  const int m = blas_size(a.cols);
  const int n = blas_size(a.rows);
  const int a_stride = blas_stride(a);
  const int u_stride = blas_stride(u);
  const int vt_stride = blas_stride(vt);
  const int ask = -1;
  double work_asked = 0;
  Matrix<int> integers(*this, 8, values.cols);
  int info = 0;
  // A^T = V diag(values) U^T: LAPACK's left vectors are ours on the right, and each arrives transposed.
  const auto call = [&](double* work, const int& work_size) {
    dgesdd_("S", &m, &n, a.data, &a_stride, values.data, vt.data, &vt_stride, u.data, &u_stride, work, &work_size,
            integers.view().data, &info);
    check_converged("dgesdd", info);
  };
  call(&work_asked, ask);
  const int work_size = workspace_size(work_asked);
  Matrix<double> work(*this, 1, static_cast<std::size_t>(work_size));
  call(work.view().data, work_size);
}

}  // namespace lyaplock::cpu
