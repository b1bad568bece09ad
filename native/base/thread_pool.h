// Threads that share one loop at a time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lyaplock {

/// A fixed set of threads for data-parallel loops. The split of a loop depends on its length and the number of threads
/// alone, so that sums over blocks come out the same in every run.
class ThreadPool {
 public:
  /// `threads` counts the calling thread: 1 runs every loop in place. 0 means one per core.
  explicit ThreadPool(std::size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] std::size_t size() const { return workers_.size() + 1; }

  /// Calls body(begin, end) for disjoint ranges that cover [0, count), on at most size() threads, and returns when all
  /// are done. No range but the last is shorter than `grain`; a loop that fits one grain runs in place. The first
  /// exception thrown by a body is rethrown here once every range has ended. Callers on several threads take turns; a
  /// call from inside a body runs in place.
  void parallel_for(std::size_t count, std::size_t grain,
                    const std::function<void(std::size_t begin, std::size_t end)>& body);

 private:
  void work(std::size_t index);

  std::vector<std::thread> workers_;
  std::mutex caller_;  // held by the loop that runs now
  std::mutex mutex_;   // guards everything below
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(std::size_t, std::size_t)>* body_ = nullptr;
  std::size_t count_ = 0;
  std::size_t pieces_ = 0;
  std::size_t running_ = 0;
  std::size_t generation_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;
};

}  // namespace lyaplock
