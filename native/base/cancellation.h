// How a caller stops work that is under way.
#pragma once

#include <atomic>

#include "base/error.h"

namespace lyaplock {

/// Set from any thread, read by the working one. Long operations ask between steps of at most some tens of
/// milliseconds, and leave everything they were given as it was when they throw.
class Cancellation {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

  /// Throws ErrorCode::aborted once cancel() was called.
  void check() const {
    if (cancelled_.load(std::memory_order_relaxed)) throw Error(ErrorCode::aborted, "The operation was aborted");
  }

 private:
  std::atomic<bool> cancelled_{false};
};

}  // namespace lyaplock
