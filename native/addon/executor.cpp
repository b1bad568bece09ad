#include "addon/executor.h"

namespace lyaplock::addon {

Executor::Executor(Napi::Env env) : env_(env), javascript_(decltype(javascript_)::New(env, "lyaplock", 0, 1, this)) {
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

void Executor::come_back(Napi::Env env, Napi::Function, Executor* executor, Finished* finished) {
  const std::unique_ptr<Finished> owned(finished);
  if (static_cast<napi_env>(env) == nullptr || !*owned->alive) return;
  if (--executor->pending_ == 0) executor->javascript_.Unref(env);
  owned->task->finish(env);
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
    auto finished = std::make_unique<Finished>(Finished{std::move(entry.task), alive_});
    // Refused only while the environment is torn down, when nobody waits for the result any more.
    if (javascript_.NonBlockingCall(finished.get()) == napi_ok) (void)finished.release();
  }
}

}  // namespace lyaplock::addon
