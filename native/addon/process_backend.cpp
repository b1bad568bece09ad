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
  GpuArithmetic wanted_arithmetic;
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
  if (process.wanted_arithmetic.products == "tf32") options.product_inputs = ProductInputs::tf32;
  if (process.wanted_arithmetic.products == "bf16") options.product_inputs = ProductInputs::bfloat16;
  options.refined_solve = process.wanted_arithmetic.solve == "refined";
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

void set_gpu_arithmetic(const GpuArithmetic& arithmetic) {
  const auto& [products, solve] = arithmetic;
  if (products != "f32" && products != "tf32" && products != "bf16")
    throw Error(ErrorCode::invalid_argument, "Products are f32, tf32 or bf16; received \"" + products + "\"");
  if (solve != "f64" && solve != "refined")
    throw Error(ErrorCode::invalid_argument, "Systems are solved in f64 or refined; received \"" + solve + "\"");
#ifndef LYAPLOCK_CUDA
  if (arithmetic != GpuArithmetic())
    throw Error(ErrorCode::invalid_argument,
                "Only on a GPU is there a choice of arithmetic: the CPU multiplies float32 as it is, and solves in "
                "float64. Leave --matmul and --solve out");
#endif
  Process& process = Process::instance();
  const std::lock_guard lock(process.mutex);
  const GpuArithmetic& wanted = process.wanted_arithmetic;
  if (process.backend && arithmetic != wanted)
    throw Error(ErrorCode::invalid_argument, "Products are " + wanted.products + " and solves " + wanted.solve +
                                                 " already, in use since the first call; set them before");
  process.wanted_arithmetic = arithmetic;
}

}  // namespace lyaplock::addon
