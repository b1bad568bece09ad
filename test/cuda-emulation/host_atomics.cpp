// Files that hold kernels hold functions of the host too; their atomic operations (of a shared_ptr, say) come here for
// the same reason as the accesses in accesses.cpp. Kernels use none.
#include <cstdint>

#include "fault.h"
#include "running.h"

namespace {

void refuse_in_kernels() {
  if (cuda_emulation::running.active) cuda_emulation::fault("an atomic operation in a kernel");
}

}  // namespace

#pragma GCC diagnostic ignored "-Wmissing-declarations"

#define CHANGE(bits, type, name)                                            \
  type __tsan_atomic##bits##_##name(volatile type* at, type operand, int) { \
    refuse_in_kernels();                                                    \
    return __atomic_##name(at, operand, __ATOMIC_SEQ_CST);                  \
  }
#define ATOMICS(bits, type)                                                                                    \
  type __tsan_atomic##bits##_load(const volatile type* at, int) {                                              \
    refuse_in_kernels();                                                                                       \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                              \
  }                                                                                                            \
  void __tsan_atomic##bits##_store(volatile type* at, type value, int) {                                       \
    refuse_in_kernels();                                                                                       \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                             \
  }                                                                                                            \
  type __tsan_atomic##bits##_exchange(volatile type* at, type value, int) {                                    \
    refuse_in_kernels();                                                                                       \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                                            \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* at, type* expected, type value, int, int) { \
    refuse_in_kernels();                                                                                       \
    return __atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
  }                                                                                                            \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* at, type* expected, type value, int, int) {   \
    refuse_in_kernels();                                                                                       \
    return __atomic_compare_exchange_n(at, expected, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);         \
  }                                                                                                            \
  CHANGE(bits, type, fetch_add)                                                                                \
  CHANGE(bits, type, fetch_sub)                                                                                \
  CHANGE(bits, type, fetch_and)                                                                                \
  CHANGE(bits, type, fetch_or)                                                                                 \
  CHANGE(bits, type, fetch_xor)

extern "C" {

ATOMICS(8, std::uint8_t)
ATOMICS(16, std::uint16_t)
ATOMICS(32, std::uint32_t)
ATOMICS(64, std::uint64_t)
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

}  // extern "C"
