#include "addon/executor.h"

namespace lyaplock::addon {

Executor::Executor(Napi::Env env)
    : env_(env),
      javascript_(Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}),
                                                "lyaplock", 0, 1)) {
  javascript_.Unref(env);
  thread_ = std::thread([this] { work(); });
}

Executor::~Executor() {
  *alive_ = false;
  stop();
  javascript_.Abort();
}

void Executor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (running_) running_->cancel();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Executor::submit(std::unique_ptr<Task> task, std::shared_ptr<Cancellation> cancellation) {
  if (pending_++ == 0) javascript_.Ref(env_);
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(task), std::move(cancellation)});
  }
  wake_.notify_one();
}

void Executor::finished(Napi::Env env, std::unique_ptr<Task> task) {
  if (--pending_ == 0) javascript_.Unref(env);
  task->finish(env);
}

void Executor::work() {
  while (true) {
    Entry entry;
    {
      std::unique_lock lock(mutex_);
      running_.reset();
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      entry = std::move(waiting_.front());
      waiting_.pop_front();
      running_ = entry.cancellation;
    }
    entry.task->run();
    Task* task = entry.task.release();
    const auto back = [this, alive = alive_](Napi::Env env, Napi::Function, Task* done) {
      std::unique_ptr<Task> owned(done);
      if (static_cast<napi_env>(env) != nullptr && *alive) finished(env, std::move(owned));
    };
    // Refused only while the environment is torn down, when nobody waits for the result any more.
    if (javascript_.NonBlockingCall(task, back) != napi_ok) delete task;
  }
}

}  // namespace lyaplock::addon
