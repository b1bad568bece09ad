// What a kernel reads and writes. Kernels are compiled with -fsanitize=thread, which calls a function before every
// access to memory that other threads could see; here, those functions are not ThreadSanitizer's.
//
//   device memory   must be allocated, and written before it is read
//   shared memory   must be written by the same block before it is read; two threads may not touch the same byte
//   between
//                   two barriers if one of them writes
//   the host's      is out of bounds, but for the kernel's own stack and arguments, and for constants
#include <link.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fault.h"
#include "memory.h"
#include "running.h"

namespace cuda_emulation {

__thread Running running __attribute__((tls_model("initial-exec")));

namespace {

constexpr std::uint32_t many = 0xffffffff;
constexpr std::uint32_t always = 0xffffffff;  // an epoch that never comes: of what may be read and is never written

/// Who touched a byte of shared memory last, and at which count of barriers.
struct Touched {
  std::uint32_t write_epoch = 0;
  std::uint32_t writer = 0;
  std::uint32_t read_epoch = 0;
  std::uint32_t reader = 0;  // or `many`
};

// Shared variables are thread-local ones of the program (or addon) that this is part of.
struct SharedMemory {
  std::uintptr_t begin = 0;
  std::vector<Touched> touched;
};
thread_local SharedMemory shared;

struct Range {
  std::uintptr_t begin, end;
};

int find_module(dl_phdr_info* info, std::size_t, void* result) {
  const auto here = reinterpret_cast<std::uintptr_t>(&find_module);
  bool is_ours = false;
  const ElfW(Phdr)* thread_local_part = nullptr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) & part = info->dlpi_phdr[i];
    if (part.p_type == PT_LOAD && here - (info->dlpi_addr + part.p_vaddr) < part.p_memsz) is_ours = true;
    if (part.p_type == PT_TLS) thread_local_part = &part;
  }
  if (!is_ours) return 0;
  auto* range = static_cast<Range*>(result);
  if (thread_local_part != nullptr && info->dlpi_tls_data != nullptr) {
    range->begin = reinterpret_cast<std::uintptr_t>(info->dlpi_tls_data);
    range->end = range->begin + thread_local_part->p_memsz;
  }
  return 1;
}

int find_constants(dl_phdr_info* info, std::size_t, void* result) {
  const auto here = reinterpret_cast<std::uintptr_t>(&find_constants);
  auto& ranges = *static_cast<std::vector<Range>*>(result);
  std::vector<Range> constants;
  bool is_ours = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) & part = info->dlpi_phdr[i];
    const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
    if (part.p_type == PT_LOAD && here - begin < part.p_memsz) is_ours = true;
    if ((part.p_type == PT_LOAD && (part.p_flags & PF_W) == 0) || part.p_type == PT_GNU_RELRO)
      constants.push_back({begin, begin + part.p_memsz});
  }
  if (is_ours) ranges = constants;
  return is_ours ? 1 : 0;
}

bool is_constant(std::uintptr_t address) {
  static const auto* const ranges = [] {
    auto* found = new std::vector<Range>;
    dl_iterate_phdr(find_constants, found);
    return found;
  }();
  for (const Range& range : *ranges)
    if (address - range.begin < range.end - range.begin) return true;
  return false;
}

std::string described(const char* verb, std::uintptr_t address, std::size_t bytes) {
  return std::string(verb) + " " + std::to_string(bytes) + " bytes of " +
         describe(reinterpret_cast<const void*>(address));
}

void check_shared(std::uintptr_t address, std::size_t bytes, bool writes) {
  const std::uint32_t me = running.thread_number;
  const std::uint32_t now = running.epoch;
  for (std::size_t i = 0; i < bytes; ++i) {
    Touched& byte = shared.touched[address - shared.begin + i];
    const auto race = [&](const std::string& what, std::uint32_t other) {
      fault(what + " shared memory (offset " + std::to_string(address - shared.begin + i) + ") that " +
            (other == many ? "other threads" : "thread number " + std::to_string(other - 1)) +
            " of the block touched, with no __syncthreads() between");
    };
    if (byte.write_epoch == now && byte.writer != me) race(writes ? "writes" : "reads", byte.writer);
    if (writes) {
      if (byte.read_epoch == now && byte.reader != me) race("writes", byte.reader);
      byte.write_epoch = now;
      byte.writer = me;
    } else {
      if (byte.write_epoch < running.first_epoch)
        fault("reads shared memory (offset " + std::to_string(address - shared.begin + i) +
              ") that this block has not written");
      byte.reader = byte.read_epoch == now && byte.reader != me ? many : me;
      byte.read_epoch = now;
    }
  }
}

[[gnu::noinline]] void check_elsewhere(std::uintptr_t address, std::size_t bytes, bool writes) {
  if (address - running.stack_begin < running.stack_end - running.stack_begin) return;
  if (address - shared.begin < shared.touched.size()) return check_shared(address, bytes, writes);
  if (!writes && address - running.arguments_begin < running.arguments_end - running.arguments_begin) return;
  if (!writes && is_constant(address)) return;
  fault(described(writes ? "writes" : "reads", address, bytes));
}

void check_access(std::uintptr_t address, std::size_t bytes, bool writes) {
  if (!running.active) return;  // the host's own; device memory is closed to it
  if (!is_device(address)) return check_elsewhere(address, bytes, writes);
  State* states = &state_of(address);
  for (std::size_t i = 0; i < bytes; ++i) {
    if (states[i] == State::initialised) continue;
    if (states[i] != State::uninitialised) fault(described(writes ? "writes" : "reads", address, bytes));
    if (!writes) fault("reads what was never written, " + described("", address, bytes));
    states[i] = State::initialised;
  }
}

inline void check_access(const void* memory, std::size_t bytes, bool writes) {
  check_access(reinterpret_cast<std::uintptr_t>(memory), bytes, writes);
}

}  // namespace

void prepare_shared_memory() {
  if (shared.begin != 0) return;
  Range range{};
  dl_iterate_phdr(find_module, &range);
  shared.begin = range.begin;
  shared.touched.resize(range.end - range.begin);
  const auto is_index = [](const auto& variable) {
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(&variable) - shared.begin;
    for (std::size_t i = 0; i < sizeof variable; ++i) shared.touched.at(offset + i).write_epoch = always;
  };
  is_index(threadIdx);
  is_index(blockIdx);
  is_index(blockDim);
  is_index(gridDim);
}

}  // namespace cuda_emulation

// What the compiler calls, by names and types of its own choice.
#pragma GCC diagnostic ignored "-Wmissing-declarations"

#define ACCESSES(size)                                                                                  \
  void __tsan_read##size(void* memory) { cuda_emulation::check_access(memory, size, false); }           \
  void __tsan_write##size(void* memory) { cuda_emulation::check_access(memory, size, true); }           \
  void __tsan_unaligned_read##size(void* memory) { cuda_emulation::check_access(memory, size, false); } \
  void __tsan_unaligned_write##size(void* memory) { cuda_emulation::check_access(memory, size, true); } \
  void __tsan_volatile_read##size(void* memory) { cuda_emulation::check_access(memory, size, false); }  \
  void __tsan_volatile_write##size(void* memory) { cuda_emulation::check_access(memory, size, true); }

extern "C" {

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void* memory, std::size_t bytes) { cuda_emulation::check_access(memory, bytes, false); }
void __tsan_write_range(void* memory, std::size_t bytes) { cuda_emulation::check_access(memory, bytes, true); }
void __tsan_vptr_update(void**, void*) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}

}  // extern "C"
