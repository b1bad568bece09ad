#include "base/thread_pool.h"

#include <algorithm>
#include <utility>

namespace lyaplock {

namespace {

// True while this thread runs a body, of whichever pool: a loop inside a loop runs in place.
thread_local bool inside_body = false;

struct InsideBody {
  InsideBody() { inside_body = true; }
  ~InsideBody() { inside_body = false; }
};

struct Range {
  std::size_t begin;
  std::size_t end;
};

/// Piece `index` of [0, count) cut into `pieces` whose lengths differ by one at most, the longer ones first.
Range piece_of(std::size_t count, std::size_t pieces, std::size_t index) {
  const std::size_t length = count / pieces;
  const std::size_t longer = count % pieces;
  const std::size_t begin = index * length + std::min(index, longer);
  return {begin, begin + length + (index < longer ? 1 : 0)};
}

}  // namespace

ThreadPool::ThreadPool(std::size_t threads) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  workers_.reserve(threads - 1);
  try {
    for (std::size_t index = 1; index < threads; ++index) workers_.emplace_back([this, index] { work(index); });
  } catch (const std::exception&) {
    // The system grants no more threads. Those there are do the work.
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::parallel_for(std::size_t count, std::size_t grain,
                              const std::function<void(std::size_t begin, std::size_t end)>& body) {
  if (count == 0) return;
  const std::size_t pieces = std::min(size(), count / std::max<std::size_t>(1, grain));
  if (pieces <= 1 || inside_body) {
    body(0, count);
    return;
  }

  const std::lock_guard turn(caller_);
  {
    const std::lock_guard lock(mutex_);
    body_ = &body;
    count_ = count;
    pieces_ = pieces;
    running_ = pieces - 1;  // piece 0 is the caller's own
    failure_ = nullptr;
    ++generation_;
  }
  wake_.notify_all();

  std::exception_ptr own_failure;
  try {
    const InsideBody inside;
    const Range own = piece_of(count, pieces, 0);
    body(own.begin, own.end);
  } catch (...) {
    own_failure = std::current_exception();
  }

  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return running_ == 0; });
  body_ = nullptr;
  if (own_failure == nullptr) own_failure = std::exchange(failure_, nullptr);
  failure_ = nullptr;
  lock.unlock();
  if (own_failure != nullptr) std::rethrow_exception(own_failure);
}

void ThreadPool::work(std::size_t index) {
  const InsideBody inside;
  std::size_t seen = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
    if (stopping_) return;
    seen = generation_;
    if (index >= pieces_) continue;
    const auto* body = body_;
    const Range range = piece_of(count_, pieces_, index);
    lock.unlock();
    std::exception_ptr failure;
    try {
      (*body)(range.begin, range.end);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure != nullptr && failure_ == nullptr) failure_ = failure;
    if (--running_ == 0) done_.notify_one();
  }
}

}  // namespace lyaplock
