#include "backend/counted_flops.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"
#include "backend/cuda/transpose.h"
#include "backend/matrix.h"
#include "backend/row_major.h"
#include "backend/widened_product.h"

namespace lyaplock::cuda {

namespace {

cublasOperation_t blas_op(Transpose op) { return op == Transpose::no ? CUBLAS_OP_N : CUBLAS_OP_T; }

/// The functions of one precision.
template <class T>
struct Blas;
template <>
struct Blas<float> {
  static constexpr auto gemm = cublasSgemm;
  static constexpr auto syrk = cublasSsyrk;
};
template <>
struct Blas<double> {
  static constexpr auto gemm = cublasDgemm;
  static constexpr auto syrk = cublasDsyrk;
};

/// C *= beta, or zero where beta is, and C is not read: what is left of a product of inner size zero.
template <class T>
void scale(cudaStream_t stream, const char* operation, T beta, bool lower, MatrixView<T> c) {
  over_rows(stream, c.rows, [=] __device__(std::size_t i) {
    const std::size_t end = lower ? i + 1 : c.cols;
    for (std::size_t j = threadIdx.x; j < end; j += block_size) c(i, j) = beta == T{0} ? T{0} : beta * c(i, j);
  });
  check_launch(operation, c);
}

template <class T>
void call_gemm(cublasHandle_t blas, Transpose a_op, Transpose b_op, T alpha, ConstMatrixView<T> a, ConstMatrixView<T> b,
               T beta, MatrixView<T> c) {
  // C^T [n, m] = op(B)^T [n, k] op(A)^T [k, m]
  check(Blas<T>::gemm(blas, blas_op(b_op), blas_op(a_op), blas_size(c.cols), blas_size(c.rows),
                      blas_size(inner_size(a_op, a)), &alpha, b.data, blas_stride(b), a.data, blas_stride(a), &beta,
                      c.data, blas_stride(c)),
        "gemm", a, b, c);
}

template <class T>
void call_syrk(cublasHandle_t blas, Transpose a_op, T alpha, ConstMatrixView<T> a, T beta, MatrixView<T> c) {
  // C is symmetric and stays in place; A arrives transposed, so op turns round.
  check(Blas<T>::syrk(blas, CUBLAS_FILL_MODE_UPPER, blas_op(other(a_op)), blas_size(c.rows),
                      blas_size(inner_size(a_op, a)), &alpha, a.data, blas_stride(a), &beta, c.data, blas_stride(c)),
        "syrk", a, c);
}

Matrix<Bfloat16> to_bfloat16(Backend& backend, cudaStream_t stream, ConstMatrixView<float> x) {
  Matrix<Bfloat16> out(backend, x.rows, x.cols);
  over_elements(
      stream, "gemm", [] __device__(const float& from, Bfloat16& to) { to = {float32_to_bfloat16(from)}; }, x,
      out.view());
  return out;
}

/// The order of the first diagonal element that is not a positive number, 0 if there is none.
__global__ void first_bad_pivot_kernel(ConstMatrixView<double> a, std::uint64_t* order) {
  std::uint64_t first = a.rows;
  for (std::size_t i = threadIdx.x; i < a.rows; i += block_size) {
    const double pivot = a(i, i);
    if (!(pivot > 0.0 && pivot - pivot == 0.0) && i < first) first = i;
  }
  first = combined_in_block(first, Smaller());
  if (threadIdx.x == 0) *order = first == a.rows ? 0 : first + 1;
}

}  // namespace

void CudaBackend::multiply(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a,
                           ConstMatrixView<float> b, float beta, MatrixView<float> c) {
  const bool tf32 = options_.product_inputs == ProductInputs::tf32;
  const std::lock_guard lock(library_calls_);
  // For this product alone: second moments, from syrk, keep all their digits.
  if (tf32) check(cublasSetMathMode(libraries_.blas, CUBLAS_TF32_TENSOR_OP_MATH), "gemm", a, b, c);
  call_gemm(libraries_.blas, a_op, b_op, alpha, a, b, beta, c);
  if (tf32) check(cublasSetMathMode(libraries_.blas, CUBLAS_DEFAULT_MATH), "gemm", a, b, c);
}

void CudaBackend::multiply_rounded(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<Bfloat16> a,
                                   ConstMatrixView<Bfloat16> b, float beta, MatrixView<float> c) {
  const std::lock_guard lock(library_calls_);
  check(
      cublasGemmEx(libraries_.blas, blas_op(b_op), blas_op(a_op), blas_size(c.cols), blas_size(c.rows),
                   blas_size(inner_size(a_op, a)), &alpha, b.data, CUDA_R_16BF, blas_stride(b), a.data, CUDA_R_16BF,
                   blas_stride(a), &beta, c.data, CUDA_R_32F, blas_stride(c), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
      "gemm", a, b, c);
}

void CudaBackend::gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                       float beta, MatrixView<float> c) {
  count_flops(flops::gemm(c.rows, c.cols, inner_size(a_op, a)));
  if (c.empty()) return;
  if (a.empty()) return scale(*stream_, "gemm", beta, false, c);
  if (options_.product_inputs != ProductInputs::bfloat16) return multiply(a_op, b_op, alpha, a, b, beta, c);
  const Matrix<Bfloat16> a_rounded = to_bfloat16(*this, *stream_, a), b_rounded = to_bfloat16(*this, *stream_, b);
  multiply_rounded(a_op, b_op, alpha, a_rounded, b_rounded, beta, c);
}

void CudaBackend::gemm(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a,
                       ConstMatrixView<double> b, double beta, MatrixView<double> c) {
  count_flops(flops::gemm(c.rows, c.cols, inner_size(a_op, a)));
  if (c.empty()) return;
  if (a.empty()) return scale(*stream_, "gemm", beta, false, c);
  const std::lock_guard lock(library_calls_);
  call_gemm(libraries_.blas, a_op, b_op, alpha, a, b, beta, c);
}

void CudaBackend::gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a,
                       ConstMatrixView<Bfloat16> b, float beta, MatrixView<float> c) {
  if (c.empty() || b.empty())
    return gemm(a_op, b_op, alpha, a, ConstMatrixView<float>(nullptr, b.rows, b.cols), beta, c);
  if (options_.product_inputs == ProductInputs::bfloat16) {
    count_flops(flops::gemm(c.rows, c.cols, inner_size(a_op, a)));
    const Matrix<Bfloat16> a_rounded = to_bfloat16(*this, *stream_, a);
    return multiply_rounded(a_op, b_op, alpha, a_rounded, b, beta, c);
  }
  gemm_widened(*this, std::size_t{1} << 24, a_op, b_op, alpha, a, b, beta, c);
}

void CudaBackend::syrk(Transpose a_op, float alpha, ConstMatrixView<float> a, float beta, MatrixView<float> c) {
  count_flops(flops::syrk(c.rows, inner_size(a_op, a)));
  if (c.empty()) return;
  if (a.empty()) return scale(*stream_, "syrk", beta, true, c);
  const std::lock_guard lock(library_calls_);
  call_syrk(libraries_.blas, a_op, alpha, a, beta, c);
}
void CudaBackend::syrk(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta, MatrixView<double> c) {
  count_flops(flops::syrk(c.rows, inner_size(a_op, a)));
  if (c.empty()) return;
  if (a.empty()) return scale(*stream_, "syrk", beta, true, c);
  const std::lock_guard lock(library_calls_);
  call_syrk(libraries_.blas, a_op, alpha, a, beta, c);
}

std::size_t CudaBackend::potrf(MatrixView<double> a) {
  count_flops(flops::potrf(a.rows));
  if (a.empty()) return 0;
  const int n = blas_size(a.rows), stride = blas_stride(a);
  Matrix<int> info(*this, 1, 1);
  Matrix<double> work;
  {
    const std::lock_guard lock(library_calls_);
    // A = U^T U, and U as rows is L.
    int work_size = 0;
    check(cusolverDnDpotrf_bufferSize(libraries_.solver, CUBLAS_FILL_MODE_UPPER, n, a.data, stride, &work_size),
          "potrf", a);
    work = Matrix<double>(*this, 1, static_cast<std::size_t>(work_size));
    check(cusolverDnDpotrf(libraries_.solver, CUBLAS_FILL_MODE_UPPER, n, a.data, stride, work.view().data, work_size,
                           info.view().data),
          "potrf", a);
  }
  const int minor = lyaplock::download<int>(*this, info.view()).front();
  if (minor < 0)
    throw Error(ErrorCode::internal, "potrf refused its argument " + std::to_string(-minor) + "; please report this");
  if (minor > 0) return static_cast<std::size_t>(minor);
  // Comparisons with NaN are false, so the library may have gone on past one. What NaN touches ends on the diagonal.
  Matrix<std::uint64_t> order(*this, 1, 1);
  LYAPLOCK_LAUNCH(first_bad_pivot_kernel, dim3(1), dim3(block_size), *stream_, a, order.view().data);
  check_launch("potrf", a);
  return static_cast<std::size_t>(lyaplock::download<std::uint64_t>(*this, order.view()).front());
}

void CudaBackend::trsm(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) {
  count_flops(flops::trsm(l.rows, side == Side::left ? b.cols : b.rows));
  if (b.empty()) return;
  const double one = 1.0;
  const std::lock_guard lock(library_calls_);
  // (op(L)^-1 B)^T = B^T op(L)^-T: the side turns round; L arrives as the upper L^T, so op stays.
  check(cublasDtrsm(libraries_.blas, side == Side::left ? CUBLAS_SIDE_RIGHT : CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER,
                    blas_op(l_op), CUBLAS_DIAG_NON_UNIT, blas_size(b.cols), blas_size(b.rows), &one, l.data,
                    blas_stride(l), b.data, blas_stride(b)),
        "trsm", l, b);
}

void CudaBackend::mirror_lower(MatrixView<double> a) { transpose<double>(*stream_, "mirror_lower", a, a, true); }

}  // namespace lyaplock::cuda
