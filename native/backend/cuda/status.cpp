#include "backend/cuda/status.h"

#include "base/error.h"
#include "base/text.h"

namespace lyaplock::cuda {

namespace {

std::string description_of(cudaError_t status) {
  return std::string(cudaGetErrorName(status)) + ", " + cudaGetErrorString(status);
}

/// What cuSOLVER says in numbers alone.
std::string name_of(cusolverStatus_t status) {
  switch (status) {
    case CUSOLVER_STATUS_NOT_INITIALIZED: return "CUSOLVER_STATUS_NOT_INITIALIZED";
    case CUSOLVER_STATUS_ALLOC_FAILED: return "CUSOLVER_STATUS_ALLOC_FAILED";
    case CUSOLVER_STATUS_INVALID_VALUE: return "CUSOLVER_STATUS_INVALID_VALUE";
    case CUSOLVER_STATUS_ARCH_MISMATCH: return "CUSOLVER_STATUS_ARCH_MISMATCH";
    case CUSOLVER_STATUS_EXECUTION_FAILED: return "CUSOLVER_STATUS_EXECUTION_FAILED";
    case CUSOLVER_STATUS_INTERNAL_ERROR: return "CUSOLVER_STATUS_INTERNAL_ERROR";
    default: return "cuSOLVER status " + std::to_string(static_cast<int>(status));
  }
}

[[noreturn]] void fail_for_memory(const std::string& what, const std::string& why) {
  std::size_t free = 0, total = 0;
  std::string numbers;
  if (cudaMemGetInfo(&free, &total) == cudaSuccess)
    numbers = ": " + memory_to_text(free) + " of " + memory_to_text(total) + " are free";
  (void)cudaGetLastError();  // a refused allocation is no fault of the calls that follow
  throw Error(ErrorCode::device_memory, "The GPU has no memory for " + what + " (" + why + ")" + numbers +
                                            ". Use smaller batches, weights in bfloat16 or a smaller model, or end "
                                            "other processes that use this GPU");
}

[[noreturn]] void fail_for_device(const std::string& what, const std::string& why) {
  throw Error(ErrorCode::device, "The GPU failed at " + what + " (" + why +
                                     "). Nothing more can be computed on it in this process; what was written so far "
                                     "is whole: start again, a run with --resume");
}

}  // namespace

void fail(cudaError_t status, const std::string& what) {
  const std::string why = description_of(status);
  if (status == cudaErrorMemoryAllocation) fail_for_memory(what, why);
  if (status == cudaErrorNoKernelImageForDevice)
    throw Error(ErrorCode::device, "This build has no code for this GPU, met at " + what + " (" + why +
                                       "); build it for the GPU's compute capability (CMAKE_CUDA_ARCHITECTURES)");
  fail_for_device(what, why);
}

void fail(cublasStatus_t status, const std::string& what) {
  const std::string why = cublasGetStatusString(status);
  if (status == CUBLAS_STATUS_ALLOC_FAILED) fail_for_memory(what, why);
  fail_for_device(what, why);
}

void fail(cusolverStatus_t status, const std::string& what) {
  const std::string why = name_of(status);
  if (status == CUSOLVER_STATUS_ALLOC_FAILED) fail_for_memory(what, why);
  fail_for_device(what, why);
}

void fail_for_memory(std::size_t bytes) {
  fail_for_memory(memory_to_text(bytes), description_of(cudaErrorMemoryAllocation));
}

}  // namespace lyaplock::cuda
