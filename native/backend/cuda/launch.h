// How kernels are started: nowhere but through this macro.
#pragma once

#include <cstddef>

#ifdef LYAPLOCK_CUDA_EMULATION
#include <cuda_emulation.h>
#define LYAPLOCK_UNROLL
#else
#include <cuda_runtime.h>

/// Puts `kernel` on the stream, over `grid` blocks of `block` threads, with arguments by value. Whether it could be put
/// there, cudaGetLastError() tells (check_launch).
#define LYAPLOCK_LAUNCH(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
/// Before a loop whose index chooses registers.
#define LYAPLOCK_UNROLL _Pragma("unroll")
#endif
