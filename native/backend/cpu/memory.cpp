#include <cstdlib>
#include <cstring>
#include <limits>

#include "backend/cpu/blas_threads.h"
#include "backend/cpu/cpu_backend.h"
#include "base/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace lyaplock {

namespace cpu {

// BLAS is called from the threads of the pool, on one thread each: shared_blas.h says why.
CpuBackend::CpuBackend(std::size_t threads) : pool_(threads) { set_blas_threads(1); }

std::shared_ptr<void> CpuBackend::allocate(std::size_t bytes) {
  constexpr std::size_t line = 64;
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const std::size_t alignment = bytes < 4 * huge_page ? line : huge_page;
  void* memory = nullptr;
  // The size is rounded up to whole lines, and is never zero, so that every matrix has an address of its own.
  if (bytes <= std::numeric_limits<std::size_t>::max() / 2) {
    const std::size_t rounded = bytes == 0 ? line : (bytes + line - 1) / line * line;
    if (posix_memalign(&memory, alignment, rounded) != 0) memory = nullptr;
  }
  if (memory == nullptr)
    throw Error(ErrorCode::out_of_memory, "No memory for " + std::to_string(bytes) +
                                              " bytes; use a smaller batch or a smaller model, or free some memory");
#if defined(__linux__)
  // Fewer page faults when it is first written; where the system declines, nothing is lost.
  if (alignment == huge_page) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return {memory, std::free};
}

std::shared_ptr<const void> CpuBackend::adopt(std::shared_ptr<const void> host, std::size_t) { return host; }

void CpuBackend::upload(void* destination, const void* host, std::size_t bytes) {
  if (bytes != 0) std::memcpy(destination, host, bytes);
}

void CpuBackend::download(void* host, const void* source, std::size_t bytes) {
  if (bytes != 0) std::memcpy(host, source, bytes);
}

void CpuBackend::synchronize() {}

std::string CpuBackend::description() const {
  return "cpu (" + blas_name() + ", " + std::to_string(pool_.size()) + (pool_.size() == 1 ? " thread)" : " threads)");
}

}  // namespace cpu

std::shared_ptr<Backend> create_cpu_backend(std::size_t threads) { return std::make_shared<cpu::CpuBackend>(threads); }

}  // namespace lyaplock
