// The thread of a kernel that runs on this thread of the host.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

// For kernels, cuda_emulation.h declares these constant; it must not be included where they are written.
extern __thread uint3 threadIdx;
extern __thread uint3 blockIdx;
extern __thread dim3 blockDim;
extern __thread dim3 gridDim;

namespace cuda_emulation {

struct Running {
  bool active;  // false outside kernels; the rest is then meaningless
  uint3 block;
  uint3 thread;
  std::uint32_t thread_number;  // in its block, from 1
  /// Counts barriers, over all blocks ever run: what happens under one number is in no order.
  std::uint32_t epoch;
  std::uint32_t first_epoch;  // of this block
  std::uintptr_t stack_begin, stack_end;
  std::uintptr_t arguments_begin, arguments_end;
  // Shared memory, of which every four bytes are a word.
  std::uintptr_t shared_begin;
  std::size_t shared_bytes;
  struct SharedWord* words;
};

extern __thread Running running;

/// Makes what this thread of the host knows of shared memory ready for a kernel.
void prepare_shared_memory();

}  // namespace cuda_emulation
