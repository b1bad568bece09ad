// How the loops of this backend are cut into pieces for the threads.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/matrix_view.h"
#include "base/thread_pool.h"

namespace lyaplock::cpu {

/// Elements below which a thread is not worth waking: it takes some microseconds to come.
inline constexpr std::size_t cheap_grain = 32768;  // an addition or two for each
inline constexpr std::size_t costly_grain = 4096;  // an exponential for each

/// Calls body(begin, end) for ranges of rows that cover [0, rows), none with fewer than about `grain` elements.
template <class Body>
void over_rows(ThreadPool& pool, std::size_t rows, std::size_t cols, std::size_t grain, const Body& body) {
  if (rows == 0 || cols == 0) return;
  pool.parallel_for(rows, std::max<std::size_t>(1, grain / cols), body);
}

/// Calls body(count, first's pointer, rest's pointers ...) for contiguous runs of `count` elements that cover the
/// matrices, which are all of one shape: rows, or longer runs where no matrix has gaps.
template <class Body, class First, class... Rest>
void over_elements(ThreadPool& pool, std::size_t grain, const Body& body, MatrixView<First> first,
                   MatrixView<Rest>... rest) {
  if (first.empty()) return;
  const auto has_no_gaps = [](const auto& view) { return view.stride == view.cols || view.rows == 1; };
  if ((has_no_gaps(first) && ... && has_no_gaps(rest))) {
    pool.parallel_for(first.size(), grain, [&](std::size_t begin, std::size_t end) {
      body(end - begin, first.data + begin, (rest.data + begin)...);
    });
    return;
  }
  over_rows(pool, first.rows, first.cols, grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) body(first.cols, first.row(i), rest.row(i)...);
  });
}

}  // namespace lyaplock::cpu
