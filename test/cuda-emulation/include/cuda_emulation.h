// Kernels on the host, and what tests ask of the emulation. native/backend/cuda/launch.h includes this header instead
// of NVIDIA's language extensions when LYAPLOCK_CUDA_EMULATION is defined.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
// One copy for all threads of a block: blocks run one after the other, each on one thread of the host.
#define __shared__ thread_local

// Constant for each thread of a kernel, as far as the compiler can see. Defined in blocks.cpp.
extern __thread const uint3 threadIdx;
extern __thread const uint3 blockIdx;
extern __thread const dim3 blockDim;
extern __thread const dim3 gridDim;

void __syncthreads();

namespace cuda_emulation {

// --- for tests ------------------------------------------------------------------------------------------------------

/// How many calls of CUDA, launches included, have been made by this process; those that only describe a status, a
/// version or a device are not counted.
std::size_t calls();
/// Lets the n-th counted call from now on, from 1, do nothing and return an error. After it, memory and streams may be
/// given up without waiting for their copies, as exceptions do; 0 ends that, and lets none fail.
void fail_call(std::size_t n);
/// Whether it has come to that call since. If so, that call's name; nullptr otherwise.
const char* failed_call();
/// What cudaMemGetInfo calls the total. Allocations beyond it are refused. 16 GiB at first, or the bytes in the
/// environment variable LYAPLOCK_CUDA_EMULATION_MEMORY.
void set_total_memory(std::size_t bytes);
/// Bytes that the pool may hold, in use or not, when somebody waits: the last release threshold that was set.
std::uint64_t release_threshold();
/// Of device memory that has been allocated and not given back.
std::size_t bytes_in_use();

// --- behind the macro -----------------------------------------------------------------------------------------------

/// `run` is called once per thread of the grid with a copy of `arguments`, which are `bytes` long.
void launch(const char* kernel, dim3 grid, dim3 block, cudaStream_t stream, void (*run)(const void*),
            const void* arguments, std::size_t bytes);

#if defined(__SANITIZE_THREAD__) || defined(LYAPLOCK_CUDA_EMULATION_UNWATCHED)
inline constexpr bool instrumented = true;  // by -fsanitize=thread, or left alone on purpose
#else
inline constexpr bool instrumented = false;
#endif

template <class Kernel, class... Arguments>
void launch(const char* name, Kernel, dim3 grid, dim3 block, cudaStream_t stream, const Arguments&... arguments) {
  static_assert(instrumented || sizeof(Kernel) == 0,
                "compile kernels with -fsanitize=thread: so the emulation sees what they read and write");
  static_assert((std::is_trivially_copyable_v<Arguments> && ...), "a kernel's arguments are copied as bytes");
  using Stored = std::tuple<Arguments...>;
  const Stored stored(arguments...);
  const auto run = [](const void* memory) { std::apply(Kernel(), *static_cast<const Stored*>(memory)); };
  launch(name, grid, block, stream, run, &stored, sizeof(Stored));
}

}  // namespace cuda_emulation

#define LYAPLOCK_LAUNCH(kernel, grid, block, stream, ...) \
  ::cuda_emulation::launch(                               \
      #kernel, [](const auto&... arguments) { kernel(arguments...); }, grid, block, stream, __VA_ARGS__)
