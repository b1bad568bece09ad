// The one backend of a process: a GPU in the addon that was built with CUDA, the CPU in the other.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace lyaplock::addon {

/// Made on first use. ErrorCode::device where there is no GPU to make it on.
std::shared_ptr<Backend> process_backend();

/// "cuda" or "cpu".
const char* process_device();
/// ErrorCode::device, saying what is missing, where this addon's device is not to be had.
void require_device();

/// How many threads the process has, or will have, for work on the CPU. ErrorCode::invalid_argument once the backend
/// exists with another number.
void set_process_threads(std::size_t threads);
/// The number it runs or will run with.
std::size_t process_threads();

/// Of the arithmetic on a GPU (CudaOptions of backend/cuda/create_cuda_backend.h).
struct GpuArithmetic {
  std::string products = "f32";  // float32 products: "f32", "tf32" or "bf16"
  std::string solve = "f64";     // float64 systems: "f64" or "refined"
  bool operator==(const GpuArithmetic&) const = default;
};
/// ErrorCode::invalid_argument for other names, for anything but the defaults on the CPU, and once the backend exists
/// with another arithmetic.
void set_gpu_arithmetic(const GpuArithmetic& arithmetic);

}  // namespace lyaplock::addon
