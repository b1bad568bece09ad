// The GPU of this process: found once, with one stream for everything.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include <atomic>
#include <string>

namespace lyaplock::cuda {

/// Device 0 of those that CUDA_VISIBLE_DEVICES leaves visible.
struct DeviceProperties {
  std::string name;  // "NVIDIA A100-SXM4-80GB"
  int major;         // compute capability
  int minor;
  std::size_t memory;  // bytes
  int runtime;         // version of CUDA, 12040 for 12.4
};

/// ErrorCode::device, saying what is missing, where there is no driver, no GPU, or one too old.
DeviceProperties find_device();

/// A stream of operations. The memory of matrices keeps it alive, and is given back in its order.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  operator cudaStream_t() const { return stream_; }

  /// Memory, aligned to 256 bytes, for operations that are put on the stream after this call.
  void* allocate(std::size_t bytes);
  /// Of so many bytes, after the operations on the stream so far. What goes wrong is thrown by the next check_releases.
  void release(void* memory, std::size_t bytes) noexcept;
  /// Waits for all operations so far. What went wrong in one of them, or in a release, is thrown here.
  void synchronize(const char* operation);
  /// Throws what went wrong in a release since the last call; for whoever has waited for the stream by another way.
  void check_releases();

 private:
  /// Lets the pool hold so much, in use or not, when somebody waits for the stream.
  void keep(std::size_t bytes);

  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  std::size_t spare_ = 0;  // that the pool may hold beside what is in use
  std::atomic<std::size_t> used_ = 0;
  std::atomic<std::size_t> kept_ = 0;
  std::atomic<cudaError_t> failed_release_ = cudaSuccess;
};

/// The libraries' handles, bound to a stream.
class Libraries {
 public:
  explicit Libraries(const Stream& stream);
  ~Libraries();
  Libraries(const Libraries&) = delete;
  Libraries& operator=(const Libraries&) = delete;

  cublasHandle_t blas = nullptr;
  cusolverDnHandle_t solver = nullptr;

 private:
  explicit Libraries(cudaStream_t stream) : stream_(stream) {}

  cudaStream_t stream_;
};

}  // namespace lyaplock::cuda
