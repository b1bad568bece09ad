// The calls of cuSOLVER.
#include <cusolverDn.h>

#include <algorithm>
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

struct cusolverDnContext {
  cudaStream_t stream = nullptr;
};

namespace {

#define CALL_OR_FAIL(...)           \
  CUDA_EMULATION_CALL(__VA_ARGS__); \
  if (call.fails()) return CUSOLVER_STATUS_EXECUTION_FAILED

cudaStream_t stream_of(cusolverDnHandle_t handle) {
  check_handle("cuSOLVER handle", handle);
  check_stream(handle->stream);
  return handle->stream;
}

const char* letter(cublasFillMode_t uplo) {
  check_flag("uplo", uplo, CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER);
  return uplo == CUBLAS_FILL_MODE_LOWER ? "L" : "U";
}

/// Sizes of work memory, in elements: not a nice function of n, and never what another operation asks for.
int work_for_potrf(int n) { return 3 * n + 17; }
int work_for_syevd(int n) { return 2 * n * n + 7 * n + 5; }
int work_for_gesvd(int m, int n) { return 4 * n * n + m + 11; }

/// Work memory is device memory of its own, as long as bufferSize said at least; what was in it is lost.
Operand work_memory(const void* work, int length, int needed, std::size_t element) {
  if (length < needed)
    fault("the work memory has " + std::to_string(length) + " elements; bufferSize gives " + std::to_string(needed));
  const Operand operand{"the work memory", work, length, 1, std::max(1, length), element};
  check_operand(operand);
  return operand;
}

Operand info_memory(const int* info) {
  const Operand operand{"info", info, 1, 1, 1, sizeof(int)};
  check_operand(operand);
  return operand;
}

void write_info(const Operand& of_info, int info) {
  std::memcpy(const_cast<void*>(of_info.data), &info, sizeof info);
  mark_written(of_info);
}

void check_query(cusolverDnHandle_t handle, const int* size) {
  check_handle("cuSOLVER handle", handle);
  check_host("the size", size, sizeof *size);
}

void factor(const char* triangle, int n, float* a, int a_stride, int* info) {
  spotrf_(triangle, &n, a, &a_stride, info);
}
void factor(const char* triangle, int n, double* a, int a_stride, int* info) {
  dpotrf_(triangle, &n, a, &a_stride, info);
}

template <class T>
void enqueue_potrf(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, T* a, int a_stride, T* work, int length,
                   int* info) {
  const cudaStream_t stream = stream_of(handle);
  const char* uplo_letter = letter(uplo);
  const Operand whole{"A", a, n, n, a_stride, sizeof(T)};
  Operand of_a = whole;
  of_a.part = triangle(uplo);
  check_operand(whole);
  const Operand of_work = work_memory(work, length, work_for_potrf(n), sizeof(T));
  const Operand of_info = info_memory(info);
  for (const Operand& other : {of_work, of_info}) check_apart(whole, other);
  check_apart(of_work, of_info);
  enqueue(stream, [=] {
    check_readable(of_a);
    mark_destroyed(of_work);
    check_writable(of_info);
    int found = 0;
    if (n > 0) factor(uplo_letter, n, a, a_stride, &found);
    write_info(of_info, found);
  });
}

}  // namespace

extern "C" {

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  CALL_OR_FAIL(handle);
  check_host("handle", handle, sizeof *handle);
  static auto* const all = new std::vector<std::unique_ptr<cusolverDnContext>>;  // addresses never come back
  all->push_back(std::make_unique<cusolverDnContext>());
  *handle = all->back().get();
  add_handle("cuSOLVER handle", *handle);
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle) {
  CUDA_EMULATION_CALL(handle);
  remove_handle("cuSOLVER handle", handle);
  return call.fails() ? CUSOLVER_STATUS_EXECUTION_FAILED : CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream) {
  CALL_OR_FAIL(handle, stream);
  check_handle("cuSOLVER handle", handle);
  check_stream(stream);
  handle->stream = stream;
  return CUSOLVER_STATUS_SUCCESS;
}

// --- Cholesky -------------------------------------------------------------------------------------------------------

cusolverStatus_t cusolverDnSpotrf_bufferSize(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, float* A, int lda,
                                             int* Lwork) {
  CALL_OR_FAIL(handle, uplo, n, A, lda, Lwork);
  check_query(handle, Lwork);
  *Lwork = work_for_potrf(n);
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDpotrf_bufferSize(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, double* A,
                                             int lda, int* Lwork) {
  CALL_OR_FAIL(handle, uplo, n, A, lda, Lwork);
  check_query(handle, Lwork);
  *Lwork = work_for_potrf(n);
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSpotrf(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, float* A, int lda,
                                  float* Workspace, int Lwork, int* devInfo) {
  CALL_OR_FAIL(handle, uplo, n, A, lda, Workspace, Lwork, devInfo);
  enqueue_potrf(handle, uplo, n, A, lda, Workspace, Lwork, devInfo);
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDpotrf(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, double* A, int lda,
                                  double* Workspace, int Lwork, int* devInfo) {
  CALL_OR_FAIL(handle, uplo, n, A, lda, Workspace, Lwork, devInfo);
  enqueue_potrf(handle, uplo, n, A, lda, Workspace, Lwork, devInfo);
  return CUSOLVER_STATUS_SUCCESS;
}

// --- eigenvalues ----------------------------------------------------------------------------------------------------

cusolverStatus_t cusolverDnDsyevd_bufferSize(cusolverDnHandle_t handle, cusolverEigMode_t jobz, cublasFillMode_t uplo,
                                             int n, const double* A, int lda, const double* W, int* lwork) {
  CALL_OR_FAIL(handle, jobz, uplo, n, A, lda, W, lwork);
  check_query(handle, lwork);
  *lwork = work_for_syevd(n);
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDsyevd(cusolverDnHandle_t handle, cusolverEigMode_t jobz, cublasFillMode_t uplo, int n,
                                  double* A, int lda, double* W, double* work, int lwork, int* info) {
  CALL_OR_FAIL(handle, jobz, uplo, n, A, lda, W, work, lwork, info);
  const cudaStream_t stream = stream_of(handle);
  check_flag("jobz", jobz, CUSOLVER_EIG_MODE_NOVECTOR, CUSOLVER_EIG_MODE_VECTOR);
  const bool vectors = jobz == CUSOLVER_EIG_MODE_VECTOR;
  const char* uplo_letter = letter(uplo);
  const Operand whole{"A", A, n, n, lda, sizeof(double)};
  Operand read = whole;
  read.part = triangle(uplo);
  check_operand(whole);
  const Operand of_values{"W", W, n, 1, std::max(1, n), sizeof(double)};
  check_operand(of_values);
  const Operand of_work = work_memory(work, lwork, work_for_syevd(n), sizeof(double));
  const Operand of_info = info_memory(info);
  for (const Operand& other : {of_values, of_work, of_info}) check_apart(whole, other);
  check_apart(of_values, of_work);
  enqueue(stream, [=] {
    check_readable(read);
    check_writable(whole);
    check_writable(of_values);
    mark_destroyed(of_work);
    check_writable(of_info);
    int found = 0;
    if (n > 0) {
      const char* job = vectors ? "V" : "N";
      double best_work = 0;
      int best_integers = 0;
      int ask = -1;
      dsyevd_(job, uplo_letter, &n, A, &lda, W, &best_work, &ask, &best_integers, &ask, &found);
      int length = static_cast<int>(best_work);
      std::vector<double> memory(static_cast<std::size_t>(length));
      std::vector<int> integers(static_cast<std::size_t>(best_integers));
      dsyevd_(job, uplo_letter, &n, A, &lda, W, memory.data(), &length, integers.data(), &best_integers, &found);
      mark_written(of_values);
      vectors ? mark_written(whole) : mark_destroyed(whole);
    }
    write_info(of_info, found);
  });
  return CUSOLVER_STATUS_SUCCESS;
}

// --- singular values ------------------------------------------------------------------------------------------------

cusolverStatus_t cusolverDnDgesvd_bufferSize(cusolverDnHandle_t handle, int m, int n, int* lwork) {
  CALL_OR_FAIL(handle, m, n, lwork);
  check_query(handle, lwork);
  if (m < n) fault("gesvd takes at least as many rows as columns");
  *lwork = work_for_gesvd(m, n);
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDgesvd(cusolverDnHandle_t handle, signed char jobu, signed char jobvt, int m, int n,
                                  double* A, int lda, double* S, double* U, int ldu, double* VT, int ldvt, double* work,
                                  int lwork, double* rwork, int* info) {
  CUDA_EMULATION_CALL(handle, jobu, jobvt, m, n, A, lda, S, U, ldu, VT, ldvt, work, lwork, rwork, info);
  if (call.fails()) return CUSOLVER_STATUS_EXECUTION_FAILED;
  const cudaStream_t stream = stream_of(handle);
  if (m < n) fault("gesvd takes at least as many rows as columns");
  // 'O' is documented too, and not used.
  for (const signed char job : {jobu, jobvt})
    if (job != 'A' && job != 'S' && job != 'N') fault("jobu and jobvt must be 'A', 'S' or 'N'");
  const Operand of_a{"A", A, m, n, lda, sizeof(double)};
  const Operand of_values{"S", S, n, 1, std::max(1, n), sizeof(double)};
  const Operand of_u{"U", U, jobu == 'N' ? 0 : m, jobu == 'A' ? m : n, ldu, sizeof(double)};
  const Operand of_vt{"VT", VT, jobvt == 'N' ? 0 : n, n, ldvt, sizeof(double)};
  const Operand of_rwork{"rwork", rwork, rwork == nullptr ? 0 : std::max(0, n - 1), 1, std::max(1, n), sizeof(double)};
  for (const Operand& operand : {of_a, of_values, of_u, of_vt, of_rwork}) check_operand(operand);
  const Operand of_work = work_memory(work, lwork, work_for_gesvd(m, n), sizeof(double));
  const Operand of_info = info_memory(info);
  const Operand written[] = {of_a, of_values, of_u, of_vt, of_work, of_rwork, of_info};
  for (const Operand& one : written)
    for (const Operand* other = &one + 1; other != std::end(written); ++other) check_apart(one, *other);
  enqueue(stream, [=] {
    check_readable(of_a);
    for (const Operand& operand : {of_values, of_u, of_vt, of_info}) check_writable(operand);
    mark_destroyed(of_work);
    mark_destroyed(of_rwork);
    int found = 0;
    if (n > 0) {
      const char u_job[] = {static_cast<char>(jobu), 0};
      const char vt_job[] = {static_cast<char>(jobvt), 0};
      double best_work = 0;
      int length = -1;
      dgesvd_(u_job, vt_job, &m, &n, A, &lda, S, U, &ldu, VT, &ldvt, &best_work, &length, &found);
      length = static_cast<int>(best_work);
      std::vector<double> memory(static_cast<std::size_t>(length));
      dgesvd_(u_job, vt_job, &m, &n, A, &lda, S, U, &ldu, VT, &ldvt, memory.data(), &length, &found);
      mark_destroyed(of_a);
      for (const Operand& operand : {of_values, of_u, of_vt}) mark_written(operand);
    }
    write_info(of_info, found);
  });
  return CUSOLVER_STATUS_SUCCESS;
}

}  // extern "C"
