// Every status of CUDA, cuBLAS and cuSOLVER passes through `check`, and becomes an Error that names what was asked.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include <string>

#include "base/matrix_view.h"

namespace lyaplock::cuda {

inline bool succeeded(cudaError_t status) { return status == cudaSuccess; }
inline bool succeeded(cublasStatus_t status) { return status == CUBLAS_STATUS_SUCCESS; }
inline bool succeeded(cusolverStatus_t status) { return status == CUSOLVER_STATUS_SUCCESS; }

/// Throws: ErrorCode::device_memory where memory ended, ErrorCode::device otherwise. `what` is the operation and the
/// shapes of its matrices.
[[noreturn]] void fail(cudaError_t status, const std::string& what);
[[noreturn]] void fail(cublasStatus_t status, const std::string& what);
[[noreturn]] void fail(cusolverStatus_t status, const std::string& what);

/// ErrorCode::device_memory: for `bytes` more there is no room, in numbers.
[[noreturn]] void fail_for_memory(std::size_t bytes);

template <class Status, class... T>
void check(Status status, const char* operation, const MatrixView<T>&... matrices) {
  if (!succeeded(status)) fail(status, (std::string(operation) + ... + (" " + shape_of(matrices))));
}

/// For the line after LYAPLOCK_LAUNCH. What goes wrong while a kernel runs is told by a later call.
template <class... T>
void check_launch(const char* operation, const MatrixView<T>&... matrices) {
  check(cudaGetLastError(), operation, matrices...);
}

}  // namespace lyaplock::cuda
