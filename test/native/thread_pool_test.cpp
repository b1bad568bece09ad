#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "check.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

Ranges ranges_of(ThreadPool& pool, std::size_t count, std::size_t grain) {
  Ranges ranges;
  std::mutex mutex;
  pool.parallel_for(count, grain, [&](std::size_t begin, std::size_t end) {
    const std::lock_guard lock(mutex);
    ranges.emplace_back(begin, end);
  });
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

}  // namespace

TEST("a parallel loop covers its range once, in pieces of a grain at least") {
  for (const std::size_t threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (const std::size_t count : {0, 1, 2, 7, 8, 9, 100, 1001})
      for (const std::size_t grain : {0, 1, 3, 10, 2000}) {
        const Ranges ranges = ranges_of(pool, count, grain);
        CHECK(ranges.size() <= threads);
        std::size_t reached = 0;
        for (const auto& [begin, end] : ranges) {
          CHECK(begin == reached && end > begin);
          CHECK(ranges.size() == 1 || end - begin >= grain);
          reached = end;
        }
        CHECK(reached == count);
        CHECK(ranges == ranges_of(pool, count, grain));
      }
  }
}

TEST("an exception in a body comes out once all bodies have ended, and the pool goes on") {
  ThreadPool pool(4);
  for (std::size_t thrower = 0; thrower < 4; ++thrower) {
    std::atomic<int> ended = 0;
    bool caught = false;
    try {
      pool.parallel_for(4, 1, [&](std::size_t begin, std::size_t) {
        if (begin == thrower) throw std::runtime_error("on purpose");
        ++ended;
      });
    } catch (const std::runtime_error& error) {
      caught = std::string(error.what()) == "on purpose";
    }
    CHECK(caught);
    CHECK(ended == 3);
    CHECK(ranges_of(pool, 100, 1).size() == 4);
  }
}

TEST("a loop inside a loop runs in place, of another pool too") {
  ThreadPool pool(3);
  ThreadPool other(3);
  std::atomic<int> calls = 0;
  pool.parallel_for(3, 1, [&](std::size_t, std::size_t) {
    for (ThreadPool* inner : {&pool, &other})
      inner->parallel_for(50, 1, [&](std::size_t begin, std::size_t end) {
        if (begin == 0 && end == 50) ++calls;
      });
  });
  CHECK(calls == 6);
}

TEST("callers on several threads take turns") {
  ThreadPool pool(3);
  std::atomic<std::size_t> total = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int i = 0; i < 500; ++i)
        pool.parallel_for(30, 1, [&](std::size_t begin, std::size_t end) { total += end - begin; });
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(total == 4 * 500 * 30);
}
