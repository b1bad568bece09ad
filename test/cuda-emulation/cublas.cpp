// The calls of cuBLAS.
#include <cublas_v2.h>

#include <bit>
#include <cstring>
#include <memory>
#include <vector>

#include "calls.h"
#include "fault.h"
#include "lapack.h"
#include "memory.h"
#include "operands.h"
#include "streams.h"

using namespace cuda_emulation;

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t mode = CUBLAS_DEFAULT_MATH;
};

namespace {

#define CALL_OR_FAIL(...)           \
  CUDA_EMULATION_CALL(__VA_ARGS__); \
  if (call.fails()) return CUBLAS_STATUS_EXECUTION_FAILED

const char* letter(cublasOperation_t operation) {
  check_flag("an operation", operation, CUBLAS_OP_N, CUBLAS_OP_C);
  return operation == CUBLAS_OP_N ? "N" : "T";
}
const char* letter(cublasFillMode_t uplo) {
  check_flag("uplo", uplo, CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER);
  return uplo == CUBLAS_FILL_MODE_LOWER ? "L" : "U";
}
const char* letter(cublasSideMode_t side) {
  check_flag("side", side, CUBLAS_SIDE_LEFT, CUBLAS_SIDE_RIGHT);
  return side == CUBLAS_SIDE_LEFT ? "L" : "R";
}
const char* letter(cublasDiagType_t diag) {
  check_flag("diag", diag, CUBLAS_DIAG_NON_UNIT, CUBLAS_DIAG_UNIT);
  return diag == CUBLAS_DIAG_NON_UNIT ? "N" : "U";
}

cudaStream_t stream_of(cublasHandle_t handle) {
  check_handle("cuBLAS handle", handle);
  check_stream(handle->stream);
  return handle->stream;
}

/// Scalars are read when the call is made (CUBLAS_POINTER_MODE_HOST).
template <class T>
T scalar(const char* name, const void* value) {
  check_host(name, value, sizeof(T));
  return *static_cast<const T*>(value);
}

// --- products -------------------------------------------------------------------------------------------------------

void multiply(const char* a_op, const char* b_op, int m, int n, int k, float alpha, const float* a, int a_stride,
              const float* b, int b_stride, float beta, float* c, int c_stride) {
  sgemm_(a_op, b_op, &m, &n, &k, &alpha, a, &a_stride, b, &b_stride, &beta, c, &c_stride);
}
void multiply(const char* a_op, const char* b_op, int m, int n, int k, double alpha, const double* a, int a_stride,
              const double* b, int b_stride, double beta, double* c, int c_stride) {
  dgemm_(a_op, b_op, &m, &n, &k, &alpha, a, &a_stride, b, &b_stride, &beta, c, &c_stride);
}

/// To 10 bits of mantissa, ties to even.
float rounded_to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7f800000) == 0x7f800000) return value;
  return std::bit_cast<float>((bits + 0x0fff + ((bits >> 13) & 1)) & 0xffffe000);
}

/// A copy of an operand in float32, of the same shape and leading dimension.
template <class Source, class Convert>
std::vector<float> converted(const Operand& operand, const Convert& convert) {
  const auto stride = static_cast<std::size_t>(operand.stride);
  std::vector<float> copy(stride * static_cast<std::size_t>(operand.cols));
  const auto* data = static_cast<const Source*>(operand.data);
  for (std::size_t j = 0; j < static_cast<std::size_t>(operand.cols); ++j)
    for (std::size_t i = 0; i < static_cast<std::size_t>(operand.rows); ++i)
      copy[j * stride + i] = convert(data[j * stride + i]);
  return copy;
}

float from_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

enum class Inputs { as_they_are, tf32, bfloat16 };

/// C = alpha op(A) op(B) + beta C on the handle's stream; T is the type of the scalars and of C.
template <class T>
void enqueue_product(cublasHandle_t handle, cublasOperation_t a_op, cublasOperation_t b_op, int m, int n, int k,
                     T alpha, const void* a, int a_stride, const void* b, int b_stride, T beta, void* c, int c_stride,
                     Inputs inputs) {
  const cudaStream_t stream = stream_of(handle);
  const char* a_letter = letter(a_op);
  const char* b_letter = letter(b_op);
  const bool a_plain = a_op == CUBLAS_OP_N;
  const bool b_plain = b_op == CUBLAS_OP_N;
  const std::size_t element = inputs == Inputs::bfloat16 ? 2 : sizeof(T);
  const Operand of_a{"A", a, a_plain ? m : k, a_plain ? k : m, a_stride, element};
  const Operand of_b{"B", b, b_plain ? k : n, b_plain ? n : k, b_stride, element};
  const Operand of_c{"C", c, m, n, c_stride, sizeof(T)};
  for (const Operand& operand : {of_a, of_b, of_c}) check_operand(operand);
  check_apart(of_c, of_a);
  check_apart(of_c, of_b);
  if (m == 0 || n == 0) return;
  enqueue(stream, [=] {
    if (alpha != T{0}) {
      check_readable(of_a);
      check_readable(of_b);
    }
    beta == T{0} ? check_writable(of_c) : check_readable(of_c);
    if constexpr (std::is_same_v<T, float>) {
      if (inputs != Inputs::as_they_are && alpha != T{0}) {
        const bool halves = inputs == Inputs::bfloat16;
        const std::vector<float> a_copy =
            halves ? converted<std::uint16_t>(of_a, from_bfloat16) : converted<float>(of_a, rounded_to_tf32);
        const std::vector<float> b_copy =
            halves ? converted<std::uint16_t>(of_b, from_bfloat16) : converted<float>(of_b, rounded_to_tf32);
        multiply(a_letter, b_letter, m, n, k, alpha, a_copy.data(), a_stride, b_copy.data(), b_stride, beta,
                 static_cast<float*>(c), c_stride);
        mark_written(of_c);
        return;
      }
    }
    multiply(a_letter, b_letter, m, n, k, alpha, static_cast<const T*>(a), a_stride, static_cast<const T*>(b), b_stride,
             beta, static_cast<T*>(c), c_stride);
    mark_written(of_c);
  });
}

Inputs inputs_of(cublasHandle_t handle) {
  check_handle("cuBLAS handle", handle);
  return handle->mode == CUBLAS_TF32_TENSOR_OP_MATH ? Inputs::tf32 : Inputs::as_they_are;
}

// --- triangles ------------------------------------------------------------------------------------------------------

void rank_k(const char* triangle, const char* a_op, int n, int k, float alpha, const float* a, int a_stride, float beta,
            float* c, int c_stride) {
  ssyrk_(triangle, a_op, &n, &k, &alpha, a, &a_stride, &beta, c, &c_stride);
}
void rank_k(const char* triangle, const char* a_op, int n, int k, double alpha, const double* a, int a_stride,
            double beta, double* c, int c_stride) {
  dsyrk_(triangle, a_op, &n, &k, &alpha, a, &a_stride, &beta, c, &c_stride);
}

template <class T>
void enqueue_rank_k(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t a_op, int n, int k, T alpha,
                    const T* a, int a_stride, T beta, T* c, int c_stride) {
  const cudaStream_t stream = stream_of(handle);
  const char* uplo_letter = letter(uplo);
  const char* a_letter = letter(a_op);
  const bool a_plain = a_op == CUBLAS_OP_N;
  const Operand of_a{"A", a, a_plain ? n : k, a_plain ? k : n, a_stride, sizeof(T)};
  const Operand whole_c{"C", c, n, n, c_stride, sizeof(T)};
  Operand of_c = whole_c;
  of_c.part = triangle(uplo);
  check_operand(of_a);
  check_operand(whole_c);
  check_apart(of_c, of_a);
  if (n == 0) return;
  enqueue(stream, [=] {
    if (alpha != T{0}) check_readable(of_a);
    beta == T{0} ? check_writable(of_c) : check_readable(of_c);
    rank_k(uplo_letter, a_letter, n, k, alpha, a, a_stride, beta, c, c_stride);
    mark_written(of_c);
  });
}

void solve(const char* side, const char* triangle, const char* a_op, const char* diagonal, int m, int n, float alpha,
           const float* a, int a_stride, float* b, int b_stride) {
  strsm_(side, triangle, a_op, diagonal, &m, &n, &alpha, a, &a_stride, b, &b_stride);
}
void solve(const char* side, const char* triangle, const char* a_op, const char* diagonal, int m, int n, double alpha,
           const double* a, int a_stride, double* b, int b_stride) {
  dtrsm_(side, triangle, a_op, diagonal, &m, &n, &alpha, a, &a_stride, b, &b_stride);
}

template <class T>
void enqueue_solve(cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t a_op,
                   cublasDiagType_t diag, int m, int n, T alpha, const T* a, int a_stride, T* b, int b_stride) {
  const cudaStream_t stream = stream_of(handle);
  const char* side_letter = letter(side);
  const char* uplo_letter = letter(uplo);
  const char* a_letter = letter(a_op);
  const char* diag_letter = letter(diag);
  const int order = side == CUBLAS_SIDE_LEFT ? m : n;
  const Operand whole_a{"A", a, order, order, a_stride, sizeof(T)};
  Operand of_a = whole_a;
  of_a.part = triangle(uplo);
  if (diag == CUBLAS_DIAG_UNIT) of_a.part = of_a.part == Part::lower ? Part::strictly_lower : Part::strictly_upper;
  const Operand of_b{"B", b, m, n, b_stride, sizeof(T)};
  check_operand(whole_a);
  check_operand(of_b);
  check_apart(of_b, of_a);
  if (m == 0 || n == 0) return;
  enqueue(stream, [=] {
    if (alpha != T{0}) {
      check_readable(of_a);
      check_readable(of_b);
    }
    check_writable(of_b);
    solve(side_letter, uplo_letter, a_letter, diag_letter, m, n, alpha, a, a_stride, b, b_stride);
    mark_written(of_b);
  });
}

}  // namespace

extern "C" {

const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "library not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED: return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE: return "an invalid value was used as an argument";
    case CUBLAS_STATUS_ARCH_MISMATCH: return "an absent device architectural feature is required";
    case CUBLAS_STATUS_MAPPING_ERROR: return "an access to GPU memory space failed";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "the function failed to launch on the GPU";
    case CUBLAS_STATUS_INTERNAL_ERROR: return "an internal operation failed";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "the functionality is not supported";
    case CUBLAS_STATUS_LICENSE_ERROR: return "an error was detected when checking the current licensing";
  }
  return "unknown status";
}

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  CALL_OR_FAIL(handle);
  check_host("handle", handle, sizeof *handle);
  static auto* const all = new std::vector<std::unique_ptr<cublasContext>>;  // addresses never come back
  all->push_back(std::make_unique<cublasContext>());
  *handle = all->back().get();
  add_handle("cuBLAS handle", *handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  CUDA_EMULATION_CALL(handle);
  remove_handle("cuBLAS handle", handle);
  return call.fails() ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int* version) {
  const Call call("cublasGetVersion_v2", list_arguments("handle, version", handle, version), false);
  check_handle("cuBLAS handle", handle);
  check_host("version", version, sizeof *version);
  *version = 120400;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  CALL_OR_FAIL(handle, stream);
  check_handle("cuBLAS handle", handle);
  check_stream(stream);
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  CALL_OR_FAIL(handle, mode);
  check_handle("cuBLAS handle", handle);
  if (mode != CUBLAS_DEFAULT_MATH && mode != CUBLAS_TF32_TENSOR_OP_MATH)
    fault("mode is neither CUBLAS_DEFAULT_MATH nor CUBLAS_TF32_TENSOR_OP_MATH");
  handle->mode = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                              int k, const float* alpha, const float* A, int lda, const float* B, int ldb,
                              const float* beta, float* C, int ldc) {
  CALL_OR_FAIL(handle, transa, transb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
  enqueue_product(handle, transa, transb, m, n, k, scalar<float>("alpha", alpha), A, lda, B, ldb,
                  scalar<float>("beta", beta), C, ldc, inputs_of(handle));
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                              int k, const double* alpha, const double* A, int lda, const double* B, int ldb,
                              const double* beta, double* C, int ldc) {
  CALL_OR_FAIL(handle, transa, transb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
  enqueue_product(handle, transa, transb, m, n, k, scalar<double>("alpha", alpha), A, lda, B, ldb,
                  scalar<double>("beta", beta), C, ldc, Inputs::as_they_are);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                            int k, const void* alpha, const void* A, cudaDataType Atype, int lda, const void* B,
                            cudaDataType Btype, int ldb, const void* beta, void* C, cudaDataType Ctype, int ldc,
                            cublasComputeType_t computeType, cublasGemmAlgo_t algo) {
  CALL_OR_FAIL(handle, transa, transb, m, n, k, alpha, A, Atype, lda, B, Btype, ldb, beta, C, Ctype, ldc, computeType,
               algo);
  if (algo != CUBLAS_GEMM_DEFAULT) fault("algo is not CUBLAS_GEMM_DEFAULT");
  // Of the documented combinations, the one that is used: A and B of one type, and sums wider than they.
  if (computeType != CUBLAS_COMPUTE_32F || Atype != CUDA_R_16BF || Btype != CUDA_R_16BF || Ctype != CUDA_R_32F)
    fault("these types are not CUDA_R_16BF, CUDA_R_16BF and CUDA_R_32F with CUBLAS_COMPUTE_32F");
  enqueue_product(handle, transa, transb, m, n, k, scalar<float>("alpha", alpha), A, lda, B, ldb,
                  scalar<float>("beta", beta), C, ldc, Inputs::bfloat16);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSsyrk_v2(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int n, int k,
                              const float* alpha, const float* A, int lda, const float* beta, float* C, int ldc) {
  CALL_OR_FAIL(handle, uplo, trans, n, k, alpha, A, lda, beta, C, ldc);
  enqueue_rank_k(handle, uplo, trans, n, k, scalar<float>("alpha", alpha), A, lda, scalar<float>("beta", beta), C, ldc);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDsyrk_v2(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int n, int k,
                              const double* alpha, const double* A, int lda, const double* beta, double* C, int ldc) {
  CALL_OR_FAIL(handle, uplo, trans, n, k, alpha, A, lda, beta, C, ldc);
  enqueue_rank_k(handle, uplo, trans, n, k, scalar<double>("alpha", alpha), A, lda, scalar<double>("beta", beta), C,
                 ldc);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasStrsm_v2(cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t uplo,
                              cublasOperation_t trans, cublasDiagType_t diag, int m, int n, const float* alpha,
                              const float* A, int lda, float* B, int ldb) {
  CALL_OR_FAIL(handle, side, uplo, trans, diag, m, n, alpha, A, lda, B, ldb);
  enqueue_solve(handle, side, uplo, trans, diag, m, n, scalar<float>("alpha", alpha), A, lda, B, ldb);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDtrsm_v2(cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t uplo,
                              cublasOperation_t trans, cublasDiagType_t diag, int m, int n, const double* alpha,
                              const double* A, int lda, double* B, int ldb) {
  CALL_OR_FAIL(handle, side, uplo, trans, diag, m, n, alpha, A, lda, B, ldb);
  enqueue_solve(handle, side, uplo, trans, diag, m, n, scalar<double>("alpha", alpha), A, lda, B, ldb);
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
