#include "addon/process_backend.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include "base/error.h"

#ifdef LYAPLOCK_CUDA
#include "backend/cuda/create_cuda_backend.h"
#endif

namespace lyaplock::addon {

namespace {

// Environments come and go on several threads; the BLAS library and its threads, or the GPU, are the process's.
struct Process {
  std::mutex mutex;
  std::size_t wanted_threads = 0;  // 0: one per core
  std::string wanted_products = "f32";
  std::shared_ptr<Backend> backend;

  /// Made by the first who asks, and gone after all that were made later.
  static Process& instance() {
    static Process process;
    return process;
  }
};

std::size_t resolved(std::size_t threads) {
  return threads > 0 ? threads : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

#ifdef LYAPLOCK_CUDA
std::shared_ptr<Backend> create_backend(const Process& process) {
  CudaOptions options;
  if (process.wanted_products == "tf32") options.product_inputs = ProductInputs::tf32;
  if (process.wanted_products == "bf16") options.product_inputs = ProductInputs::bfloat16;
  return create_cuda_backend(options);
}
#else
std::shared_ptr<Backend> create_backend(const Process& process) {
  return create_cpu_backend(resolved(process.wanted_threads));
}
#endif

}  // namespace

std::shared_ptr<Backend> process_backend() {
  Process& process = Process::instance();
  const std::lock_guard lock(process.mutex);
  if (!process.backend) process.backend = create_backend(process);
  return process.backend;
}

#ifdef LYAPLOCK_CUDA
const char* process_device() { return "cuda"; }
void require_device() { require_cuda_device(); }
#else
const char* process_device() { return "cpu"; }
void require_device() {}
#endif

void set_process_threads(std::size_t threads) {
  Process& process = Process::instance();
  const std::lock_guard lock(process.mutex);
  const std::size_t wanted = resolved(process.wanted_threads);
  if (process.backend && resolved(threads) != wanted)
    throw Error(ErrorCode::invalid_argument, "The number of threads is " + std::to_string(wanted) +
                                                 " already, in use since the first call; set it before");
  process.wanted_threads = threads;
}

std::size_t process_threads() {
  Process& process = Process::instance();
  const std::lock_guard lock(process.mutex);
  return resolved(process.wanted_threads);
}

void set_process_products(const std::string& name) {
  if (name != "f32" && name != "tf32" && name != "bf16")
    throw Error(ErrorCode::invalid_argument, "Products are f32, tf32 or bf16; received \"" + name + "\"");
#ifndef LYAPLOCK_CUDA
  if (name != "f32")
    throw Error(ErrorCode::invalid_argument,
                "Products of " + name + " are for a GPU; the CPU multiplies float32 as it is. Leave --matmul out");
#endif
  Process& process = Process::instance();
  const std::lock_guard lock(process.mutex);
  if (process.backend && name != process.wanted_products)
    throw Error(ErrorCode::invalid_argument,
                "Products are " + process.wanted_products + " already, in use since the first call; set them before");
  process.wanted_products = name;
}

}  // namespace lyaplock::addon
