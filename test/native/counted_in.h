// What a piece of work counts.
#pragma once

#include "backend/counted_flops.h"

namespace lyaplock::test {

/// Operations that `work` adds to this thread's count.
template <class Work>
double counted_in(const Work& work) {
  const double before = counted_flops();
  work();
  return counted_flops() - before;
}

}  // namespace lyaplock::test
