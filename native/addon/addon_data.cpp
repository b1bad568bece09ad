#include "addon/addon_data.h"

#include <mutex>
#include <set>

namespace lyaplock::addon {

namespace {
std::mutex mutex;  // environments come and go on several threads

/// process.exit() ends a process without tearing its environments down first, and BLAS frees its buffers on the way: no
/// thread of ours may be at work then. Made after what holds the backend, so that it goes before it.
struct Executors {
  Executors() { (void)process_threads(); }
  ~Executors() {
    for (Executor* executor : running) executor->stop();
  }
  std::set<Executor*> running;
} executors;
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

}  // namespace lyaplock::addon
