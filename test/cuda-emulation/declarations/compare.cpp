// Compiled where NVIDIA's headers are, with those before the emulation's on the path: a declaration of ours that is not
// theirs, or a constant of another value, is an error. Run by scripts/cuda-emulation.mjs --declarations.
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cusolverDn.h>

#define LYAPLOCK_DECLARATIONS_ONLY
#include "../include/cublas_v2.h"
#include "../include/cuda_runtime.h"
#include "../include/cusolverDn.h"

static_assert(cudaSuccess == 0 && cudaErrorInvalidValue == 1 && cudaErrorMemoryAllocation == 2 &&
              cudaErrorInsufficientDriver == 35 && cudaErrorNoDevice == 100 && cudaErrorNoKernelImageForDevice == 209 &&
              cudaErrorLaunchOutOfResources == 701 && cudaErrorLaunchFailure == 719);
static_assert(cudaMemcpyHostToDevice == 1 && cudaMemcpyDeviceToHost == 2 && cudaMemcpyDeviceToDevice == 3 &&
              cudaMemPoolAttrReleaseThreshold == 4 && cudaStreamNonBlocking == 1 && cudaEventDisableTiming == 2);
static_assert(CUDA_R_32F == 0 && CUDA_R_64F == 1 && CUDA_R_16BF == 14);
static_assert(CUBLAS_STATUS_SUCCESS == 0 && CUBLAS_STATUS_NOT_INITIALIZED == 1 && CUBLAS_STATUS_ALLOC_FAILED == 3 &&
              CUBLAS_STATUS_INVALID_VALUE == 7 && CUBLAS_STATUS_ARCH_MISMATCH == 8 &&
              CUBLAS_STATUS_MAPPING_ERROR == 11 && CUBLAS_STATUS_EXECUTION_FAILED == 13 &&
              CUBLAS_STATUS_INTERNAL_ERROR == 14 && CUBLAS_STATUS_NOT_SUPPORTED == 15 &&
              CUBLAS_STATUS_LICENSE_ERROR == 16);
static_assert(CUBLAS_FILL_MODE_LOWER == 0 && CUBLAS_FILL_MODE_UPPER == 1 && CUBLAS_DIAG_NON_UNIT == 0 &&
              CUBLAS_DIAG_UNIT == 1 && CUBLAS_SIDE_LEFT == 0 && CUBLAS_SIDE_RIGHT == 1 && CUBLAS_OP_N == 0 &&
              CUBLAS_OP_T == 1 && CUBLAS_OP_C == 2);
static_assert(CUBLAS_DEFAULT_MATH == 0 && CUBLAS_TF32_TENSOR_OP_MATH == 3 && CUBLAS_GEMM_DEFAULT == -1 &&
              CUBLAS_COMPUTE_32F == 68 && CUBLAS_COMPUTE_64F == 70 && CUBLAS_COMPUTE_32F_FAST_TF32 == 77);
static_assert(CUSOLVER_STATUS_SUCCESS == 0 && CUSOLVER_STATUS_NOT_INITIALIZED == 1 &&
              CUSOLVER_STATUS_ALLOC_FAILED == 2 && CUSOLVER_STATUS_INVALID_VALUE == 3 &&
              CUSOLVER_STATUS_ARCH_MISMATCH == 4 && CUSOLVER_STATUS_MAPPING_ERROR == 5 &&
              CUSOLVER_STATUS_EXECUTION_FAILED == 6 && CUSOLVER_STATUS_INTERNAL_ERROR == 7 &&
              CUSOLVER_STATUS_MATRIX_TYPE_NOT_SUPPORTED == 8 && CUSOLVER_STATUS_NOT_SUPPORTED == 9);
static_assert(CUSOLVER_EIG_MODE_NOVECTOR == 0 && CUSOLVER_EIG_MODE_VECTOR == 1);
