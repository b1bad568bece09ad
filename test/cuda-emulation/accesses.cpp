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

__thread Running running;

/// Who touched four bytes of shared memory last, and at which count of barriers.
struct SharedWord {
  std::uint32_t write_epoch = 0;
  std::uint32_t writer = 0;
  std::uint32_t read_epoch = 0;
  std::uint32_t reader = 0;  // or `many`
};

namespace {

constexpr std::uint32_t many = 0xffffffff;
constexpr std::uint32_t always = 0xffffffff;  // an epoch that never comes: of what may be read and is never written

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

[[noreturn]] void fault_in_shared(const char* verb, std::size_t word, const std::string& what) {
  fault(std::string(verb) + " shared memory (offset " + std::to_string(4 * word) + ") that " + what);
}

[[noreturn]] void fault_for_race(const char* verb, std::size_t word, std::uint32_t other) {
  const std::string who = other == many ? "other threads" : "thread number " + std::to_string(other - 1);
  fault_in_shared(verb, word, who + " of the block touched, with no __syncthreads() between");
}

void check_shared(std::size_t offset, std::size_t bytes, bool writes) {
  if (offset % 4 != 0 || bytes % 4 != 0) fault("shared memory is watched in words of four bytes, and holds no smaller");
  const std::uint32_t me = running.thread_number;
  const std::uint32_t now = running.epoch;
  for (std::size_t i = offset / 4; i < (offset + bytes) / 4; ++i) {
    SharedWord& word = running.words[i];
    if (word.write_epoch == now && word.writer != me) fault_for_race(writes ? "writes" : "reads", i, word.writer);
    if (writes) {
      if (word.read_epoch == now && word.reader != me) fault_for_race("writes", i, word.reader);
      word.write_epoch = now;
      word.writer = me;
    } else {
      if (word.write_epoch < running.first_epoch) fault_in_shared("reads", i, "this block has not written");
      word.reader = word.read_epoch == now && word.reader != me ? many : me;
      word.read_epoch = now;
    }
  }
}

[[gnu::noinline]] void check_elsewhere(std::uintptr_t address, std::size_t bytes, bool writes) {
  if (address - running.stack_begin < running.stack_end - running.stack_begin) return;
  const std::size_t offset = address - running.shared_begin;
  if (offset < running.shared_bytes) return check_shared(offset, bytes, writes);
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

// Shared variables are thread-local ones of the program (or addon) that this is part of.
void prepare_shared_memory() {
  static thread_local std::vector<SharedWord> words;
  if (!words.empty()) return;
  Range range{};
  dl_iterate_phdr(find_module, &range);
  words.resize((range.end - range.begin + 3) / 4);
  running.shared_begin = range.begin;
  running.shared_bytes = range.end - range.begin;
  running.words = words.data();
  const auto is_index = [](const auto& variable) {
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(&variable) - running.shared_begin;
    for (std::size_t i = 0; i < sizeof variable / 4; ++i) words.at(offset / 4 + i).write_epoch = always;
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
