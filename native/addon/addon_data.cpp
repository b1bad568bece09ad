#include "addon/addon_data.h"

#include <mutex>
#include <set>
#include <thread>

#include "base/error.h"

namespace lyaplock::addon {

namespace {
// Environments come and go on several threads; the BLAS library and its threads are the process's.
std::mutex mutex;
std::size_t wanted_threads = 0;  // 0: one per core
std::shared_ptr<Backend> backend;

/// process.exit() ends a process without tearing its environments down first, and BLAS frees its buffers on the way: no
/// thread of ours may be at work then. Declared after the backend, so that it goes before it.
struct Executors {
  ~Executors() {
    for (Executor* executor : running) executor->stop();
  }
  std::set<Executor*> running;
} executors;

std::size_t resolved(std::size_t threads) {
  return threads > 0 ? threads : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}
}  // namespace

AddonData::AddonData(Napi::Env env) : executor(std::make_unique<Executor>(env)) {
  const std::lock_guard lock(mutex);
  executors.running.insert(executor.get());
}

void AddonData::end() {
  {
    const std::lock_guard lock(mutex);
    executors.running.erase(executor.get());
  }
  executor.reset();
}

std::shared_ptr<Backend> process_backend() {
  const std::lock_guard lock(mutex);
  if (!backend) backend = create_cpu_backend(resolved(wanted_threads));
  return backend;
}

void set_process_threads(std::size_t threads) {
  const std::lock_guard lock(mutex);
  if (backend && resolved(threads) != resolved(wanted_threads))
    throw Error(ErrorCode::invalid_argument, "The number of threads is " + std::to_string(resolved(wanted_threads)) +
                                                 " already, in use since the first call; set it before");
  wanted_threads = threads;
}

std::size_t process_threads() {
  const std::lock_guard lock(mutex);
  return resolved(wanted_threads);
}

}  // namespace lyaplock::addon
