// The addon's own thread.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "base/cancellation.h"

namespace lyaplock::addon {

/// One piece of work: `run` on the executor's thread, then `finish` on JavaScript's.
class Task {
 public:
  virtual ~Task() = default;
  /// Must not throw, and must not touch a JavaScript value.
  virtual void run() noexcept = 0;
  virtual void finish(Napi::Env env) = 0;
};

/// Runs the tasks of one JavaScript environment on a thread of its own, one after the other: handles need no locks, and
/// Node's own pool, which a service's files and sockets wait for, stays free. Keeps the process alive while there
/// is work and not longer.
class Executor {
 public:
  explicit Executor(Napi::Env env);
  /// Drops what waits, cancels what can be cancelled, and waits for what runs.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Cancels what can be cancelled and waits for what runs; nothing runs afterwards. Once more does nothing.
  void stop();

  void submit(std::unique_ptr<Task> task, std::shared_ptr<Cancellation> cancellation);

 private:
  struct Entry {
    std::unique_ptr<Task> task;
    std::shared_ptr<Cancellation> cancellation;
  };
  /// A task on its way back to JavaScript's thread.
  struct Finished {
    std::unique_ptr<Task> task;
    std::shared_ptr<bool> alive;
  };
  void work();
  /// Node also calls this, without an environment, for what is on its way when the environment is torn down: the task
  /// and its result go then. (Napi::ThreadSafeFunction would forget them.)
  static void come_back(Napi::Env env, Napi::Function, Executor* executor, Finished* finished);

  Napi::Env env_;
  Napi::TypedThreadSafeFunction<Executor, Finished, come_back> javascript_;
  std::size_t pending_ = 0;  // used on JavaScript's thread alone, like what follows
  // False once this is gone: Node empties the queue of finished tasks later than that.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> waiting_;
  std::shared_ptr<Cancellation> running_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace lyaplock::addon
