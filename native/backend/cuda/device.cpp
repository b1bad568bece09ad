#include "backend/cuda/device.h"

#include "backend/cuda/status.h"
#include "base/error.h"

namespace lyaplock::cuda {

namespace {

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Why no device was found, and what to do about it.
[[noreturn]] void fail_to_find(cudaError_t status) {
  int driver = 0, runtime = 0;
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  (void)cudaGetLastError();
  std::string message = "No GPU can be used: ";
  if (driver == 0)
    message += "there is no NVIDIA driver (libcuda.so.1). Install it, or use --device cpu";
  else if (status == cudaErrorInsufficientDriver)
    message += "the NVIDIA driver is for CUDA " + version_text(driver) + ", this build for " + version_text(runtime) +
               ". Install a newer driver, or use --device cpu";
  else if (status == cudaErrorNoDevice || status == cudaSuccess)
    message += "the NVIDIA driver sees no GPU (CUDA_VISIBLE_DEVICES hides those it does not name). Use --device cpu";
  else
    message += std::string(cudaGetErrorName(status)) + ", " + cudaGetErrorString(status) + ". Use --device cpu";
  throw Error(ErrorCode::device, message);
}

}  // namespace

DeviceProperties find_device() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) fail_to_find(status);
  cudaDeviceProp found;
  check(cudaGetDeviceProperties(&found, 0), "reading the GPU's properties");
  DeviceProperties properties{found.name, found.major, found.minor, found.totalGlobalMem, 0};
  check(cudaRuntimeGetVersion(&properties.runtime), "reading CUDA's version");
  if (found.major < 7)
    throw Error(ErrorCode::device, "The GPU " + properties.name + " has compute capability " +
                                       std::to_string(found.major) + "." + std::to_string(found.minor) +
                                       "; 7.0 is needed. Use --device cpu");
  return properties;
}

Stream::Stream() {
  check(cudaDeviceGetDefaultMemPool(&pool_, 0), "finding the GPU's memory pool");
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "reading the GPU's memory");
  spare_ = total / 4;
  keep(spare_);
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
}

Stream::~Stream() {
  // At the end of a process the driver may be gone already; then there is nothing to give back.
  (void)cudaStreamSynchronize(stream_);
  (void)cudaStreamDestroy(stream_);
}

// What this process frees it keeps for itself, a quarter of the memory beside what it uses, and needs not ask the
// driver again; all else goes back to other processes on the GPU whenever somebody waits. The pool's threshold counts
// what is in use too: where that alone is more, every wait gives back all that is free, and what is allocated next
// takes the driver milliseconds.
void Stream::keep(std::size_t bytes) {
  std::uint64_t kept = bytes;
  check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &kept), "setting up the GPU's memory pool");
  kept_ = bytes;
}

void* Stream::allocate(std::size_t bytes) {
  // Never zero, so that every matrix has an address of its own.
  const std::size_t asked = bytes == 0 ? 1 : bytes;
  if (const std::size_t used = used_ + asked; used + spare_ / 2 > kept_) keep(used + spare_);
  void* memory = nullptr;
  cudaError_t status = cudaMallocAsync(&memory, asked, stream_);
  if (status == cudaErrorMemoryAllocation) {
    // Pieces that were freed may not fit together: with all of them back at the driver, they may.
    (void)cudaGetLastError();
    synchronize("waiting for memory");
    check(cudaMemPoolTrimTo(pool_, 0), "giving freed memory back");
    status = cudaMallocAsync(&memory, asked, stream_);
  }
  if (status == cudaErrorMemoryAllocation) fail_for_memory(bytes);
  check(status, "allocating memory");
  used_ += bytes;
  return memory;
}

void Stream::release(void* memory, std::size_t bytes) noexcept {
  used_ -= bytes;
  const cudaError_t status = cudaFreeAsync(memory, stream_);
  if (succeeded(status)) return;
  // Nobody can be told here. It is kept for the next who waits, and taken from the runtime, where the next kernel that
  // is launched would be blamed for it.
  (void)cudaGetLastError();
  cudaError_t none = cudaSuccess;
  failed_release_.compare_exchange_strong(none, status);
}

void Stream::synchronize(const char* operation) {
  if (kept_ > used_ + 2 * spare_) keep(used_ + spare_);
  check(cudaStreamSynchronize(stream_), operation);
  check_releases();
}

void Stream::check_releases() { check(failed_release_.exchange(cudaSuccess), "giving memory back"); }

// Delegates, so that what a failing call leaves behind is destroyed.
Libraries::Libraries(const Stream& stream) : Libraries(static_cast<cudaStream_t>(stream)) {
  check(cublasCreate(&blas), "starting cuBLAS");
  check(cublasSetStream(blas, stream), "starting cuBLAS");
  check(cusolverDnCreate(&solver), "starting cuSOLVER");
  check(cusolverDnSetStream(solver, stream), "starting cuSOLVER");
}

Libraries::~Libraries() {
  // At the end of a process the driver may be gone before us, and the libraries do not always bear that.
  if (cudaStreamSynchronize(stream_) == cudaErrorCudartUnloading) return;
  if (solver != nullptr) (void)cusolverDnDestroy(solver);
  if (blas != nullptr) (void)cublasDestroy(blas);
}

}  // namespace lyaplock::cuda
