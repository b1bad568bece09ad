#include "backend/cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "backend/cuda/status.h"

namespace lyaplock::cuda {

PinnedBlock::PinnedBlock() {
  check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event");
  void* memory = nullptr;
  const cudaError_t status = cudaMallocHost(&memory, size);
  if (!succeeded(status)) {
    (void)cudaEventDestroy(event_);
    fail(status, "pinning memory of the host");
  }
  memory_ = static_cast<std::byte*>(memory);
}

PinnedBlock::~PinnedBlock() {
  (void)cudaFreeHost(memory_);
  (void)cudaEventDestroy(event_);
}

void PinnedBlock::record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "recording an event"); }

void PinnedBlock::wait() const { check(cudaEventSynchronize(event_), "waiting for a copy"); }

void Staging::upload(cudaStream_t stream, void* destination, const void* host, std::size_t bytes) {
  constexpr std::size_t alignment = 64;
  const std::lock_guard lock(uploading_);
  for (std::size_t done = 0; done < bytes;) {
    if (used_ == PinnedBlock::size) {
      up_[block_].record(stream);
      block_ = (block_ + 1) % up_.size();
      up_[block_].wait();
      used_ = 0;
    }
    const std::size_t count = std::min(bytes - done, PinnedBlock::size - used_);
    std::byte* const pinned = up_[block_].data() + used_;
    std::memcpy(pinned, static_cast<const std::byte*>(host) + done, count);
    check(cudaMemcpyAsync(static_cast<std::byte*>(destination) + done, pinned, count, cudaMemcpyHostToDevice, stream),
          "upload");
    done += count;
    used_ = std::min(PinnedBlock::size, (used_ + count + alignment - 1) / alignment * alignment);
  }
}

void Staging::download(cudaStream_t stream, void* host, const void* source, std::size_t bytes) {
  const std::lock_guard lock(downloading_);
  const std::size_t pieces = (bytes + PinnedBlock::size - 1) / PinnedBlock::size;
  const auto begin_of = [](std::size_t piece) { return piece * PinnedBlock::size; };
  const auto count_of = [&](std::size_t piece) { return std::min(PinnedBlock::size, bytes - begin_of(piece)); };
  const auto take = [&](std::size_t piece) {
    const PinnedBlock& block = down_[piece % down_.size()];
    block.wait();
    std::memcpy(static_cast<std::byte*>(host) + begin_of(piece), block.data(), count_of(piece));
  };
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    PinnedBlock& block = down_[piece % down_.size()];
    check(cudaMemcpyAsync(block.data(), static_cast<const std::byte*>(source) + begin_of(piece), count_of(piece),
                          cudaMemcpyDeviceToHost, stream),
          "download");
    block.record(stream);
    if (piece > 0) take(piece - 1);
  }
  if (pieces > 0) take(pieces - 1);
}

}  // namespace lyaplock::cuda
