// Copies between the host and the device, through memory that the device can reach by itself.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <mutex>

#include "backend/cuda/device.h"

namespace lyaplock::cuda {

/// A piece of pinned memory, with an event behind the last copy that used it.
class PinnedBlock {
 public:
  static constexpr std::size_t size = std::size_t{4} << 20;

  PinnedBlock();
  ~PinnedBlock();
  PinnedBlock(const PinnedBlock&) = delete;
  PinnedBlock& operator=(const PinnedBlock&) = delete;

  [[nodiscard]] std::byte* data() const { return memory_; }
  /// Marks the copies so far on the stream as the last that use this block.
  void record(cudaStream_t stream);
  /// Waits for them.
  void wait() const;

 private:
  std::byte* memory_ = nullptr;
  cudaEvent_t event_ = nullptr;
};

/// Callers on several threads take turns.
class Staging {
 public:
  /// The host's bytes have been read when the call returns; the device has them in the order of the stream.
  void upload(cudaStream_t stream, void* destination, const void* host, std::size_t bytes);
  /// Waits for the operations before it on the stream, and for the copy.
  void download(cudaStream_t stream, void* host, const void* source, std::size_t bytes);

 private:
  // Small uploads, of indices say, share a block; the host waits only for the copy before last, eight blocks ago.
  std::mutex uploading_;
  std::array<PinnedBlock, 8> up_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;  // bytes of that block
  // One block is copied out by the host while the other is filled by the device.
  std::mutex downloading_;
  std::array<PinnedBlock, 2> down_;
};

}  // namespace lyaplock::cuda
