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

/// How float32 matrices are multiplied: "f32", or on a GPU "tf32" or "bf16" (ProductInputs of
/// backend/cuda/create_cuda_backend.h). ErrorCode::invalid_argument for another name, for anything but "f32" on the
/// CPU, and once the backend exists with other ones.
void set_process_products(const std::string& name);

}  // namespace lyaplock::addon
