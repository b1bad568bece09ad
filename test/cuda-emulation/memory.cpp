#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "fault.h"

namespace cuda_emulation {

std::uintptr_t arena = 0;
std::ptrdiff_t to_state = 0;

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t guard = 256;  // bytes of no one's after each allocation, at least
// Freed addresses rest, so that a use after it is seen, until so many bytes have been freed after them.
constexpr std::size_t rest = std::size_t{1} << 30;

struct Block {
  std::size_t bytes;
  std::size_t room;  // pages
  std::string made_by;
  enum { reserved, condemned, freed } status = reserved;
  bool alive = false;
};

struct Pinned {
  std::size_t bytes;
  std::string made_by;
};

// Never destroyed: leaks are looked for when everything else has been.
auto& blocks = *new std::map<std::uintptr_t, Block>;
auto& resting = *new std::deque<std::uintptr_t>;
std::size_t resting_bytes = 0;
auto& reusable = *new std::multimap<std::size_t, std::uintptr_t>;  // by room
std::uintptr_t never_used = 0;
std::size_t used_bytes = 0;
std::size_t total_bytes = 0;
int accesses = 0;
auto& pinned = *new std::map<std::uintptr_t, Pinned>;
struct sigaction other_handler;

void* map_memory(std::size_t bytes, int protection) {
  void* memory = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fault("no room for the emulation's addresses");
  return memory;
}

/// The host touched device memory: says so; any other fault is somebody else's.
void on_segmentation_fault(int, siginfo_t* info, void*) {
  if (is_device(info->si_addr)) fault("the host reads or writes " + describe(info->si_addr));
  sigaction(SIGSEGV, &other_handler, nullptr);  // and on return, the instruction faults again
}

void set_up() {
  if (arena != 0) return;
  arena = reinterpret_cast<std::uintptr_t>(map_memory(arena_bytes, watches_bytes ? PROT_NONE : PROT_READ | PROT_WRITE));
  const void* states = map_memory(arena_bytes, PROT_READ | PROT_WRITE);
  to_state = static_cast<std::ptrdiff_t>(reinterpret_cast<std::uintptr_t>(states) - arena);
  never_used = arena + page;
  struct sigaction handler = {};
  handler.sa_sigaction = on_segmentation_fault;
  handler.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigaction(SIGSEGV, &handler, &other_handler);
}

void protect(int protection) {
  if (!watches_bytes) return;
  if (mprotect(reinterpret_cast<void*>(arena), never_used - arena, protection) != 0) fault("mprotect failed");
}

std::uintptr_t take_room(std::size_t room) {
  if (const auto found = reusable.find(room); found != reusable.end()) {
    const std::uintptr_t begin = found->second;
    reusable.erase(found);
    blocks.erase(begin);
    std::memset(&state_of(begin), static_cast<int>(State::none), room);
    return begin;
  }
  if (room > arena + arena_bytes - never_used) fault("all addresses of the emulation are used up");
  const std::uintptr_t begin = never_used;
  never_used += room;
  if (accesses > 0) protect(PROT_READ | PROT_WRITE);
  return begin;
}

Block& block_at(void* memory) {
  const auto found = blocks.find(reinterpret_cast<std::uintptr_t>(memory));
  if (found == blocks.end()) fault(describe(memory) + " is no allocation of device memory");
  return found->second;
}

/// The block that begins at or last before an address.
const std::pair<const std::uintptr_t, Block>* block_before(std::uintptr_t address) {
  const auto after = blocks.upper_bound(address);
  return after == blocks.begin() ? nullptr : &*std::prev(after);
}

std::string hexadecimal(const void* memory) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", memory);
  return text;
}

}  // namespace

DeviceAccess::DeviceAccess() {
  set_up();
  if (accesses++ == 0) protect(PROT_READ | PROT_WRITE);
}
DeviceAccess::~DeviceAccess() {
  if (--accesses == 0) protect(PROT_NONE);
}

void* reserve(std::size_t bytes) {
  set_up();
  if (bytes > total() - std::min(total(), used_bytes)) return nullptr;
  const std::size_t room = (bytes + guard + page - 1) / page * page;
  const std::uintptr_t begin = take_room(room);
  blocks.insert_or_assign(begin, Block{bytes, room, current_call()});
  used_bytes += bytes;
  return reinterpret_cast<void*>(begin);
}

void begin_life(void* memory) {
  Block& block = block_at(memory);
  const DeviceAccess access;
  block.alive = true;
  std::memset(&state_of(reinterpret_cast<std::uintptr_t>(memory)), static_cast<int>(State::uninitialised), block.bytes);
  poison(memory, block.bytes);
}

void condemn(void* memory) {
  if (!is_device(memory)) fault("what is to be freed is " + describe(memory));
  Block& block = block_at(memory);
  if (block.status != Block::reserved) fault("freed twice: " + describe(memory));
  block.status = Block::condemned;
  used_bytes -= block.bytes;
}

void end_life(void* memory) {
  Block& block = block_at(memory);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  block.status = Block::freed;
  block.alive = false;
  std::memset(&state_of(begin), static_cast<int>(State::freed), block.bytes);
  madvise(memory, block.room, MADV_DONTNEED);
  resting.push_back(begin);
  resting_bytes += block.room;
  while (resting_bytes > rest) {
    const std::uintptr_t oldest = resting.front();
    resting.pop_front();
    const std::size_t room = blocks.at(oldest).room;
    resting_bytes -= room;
    madvise(&state_of(oldest), room, MADV_DONTNEED);
    reusable.emplace(room, oldest);
  }
}

void set_total(std::size_t bytes) { total_bytes = bytes; }
std::size_t total() {
  if (total_bytes == 0) {
    const char* chosen = std::getenv("LYAPLOCK_CUDA_EMULATION_MEMORY");
    total_bytes = chosen == nullptr ? std::size_t{16} << 30 : std::strtoull(chosen, nullptr, 10);
  }
  return total_bytes;
}
std::size_t in_use() { return used_bytes; }

std::string leaked_memory() {
  std::string lines;
  for (const auto& [begin, block] : blocks)
    if (block.status == Block::reserved)
      lines += "  " + std::to_string(block.bytes) + " bytes of device memory from " + block.made_by + "\n";
  return lines;
}

std::string describe(const void* memory) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  if (memory == nullptr) return "a null pointer";
  if (!is_device(address)) {
    const auto after = pinned.upper_bound(address);
    if (after != pinned.begin() && address - std::prev(after)->first < std::prev(after)->second.bytes)
      return "pinned host memory (" + hexadecimal(memory) + ", from " + std::prev(after)->second.made_by + ")";
    return "host memory (" + hexadecimal(memory) + ")";
  }
  const auto* found = block_before(address);
  if (found == nullptr) return "device memory that nobody allocated (" + hexadecimal(memory) + ")";
  const auto& [begin, block] = *found;
  const std::size_t offset = address - begin;
  const std::string of = std::to_string(block.bytes) + " bytes from " + block.made_by;
  std::string where = offset < block.bytes ? "byte " + std::to_string(offset) + " of the " + of
                                           : std::to_string(offset - block.bytes) + " bytes past the end of the " + of;
  return (block.status == Block::reserved ? "device memory, " : "freed device memory, ") + where;
}

void check_device(const char* name, const void* memory, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  if (!is_device(address))
    fault(std::string(name) + " must be device memory of " + std::to_string(bytes) + " bytes, and is " +
          describe(memory));
  const auto* found = block_before(address);
  if (found == nullptr || found->second.status != Block::reserved) fault(std::string(name) + " is " + describe(memory));
  const std::size_t offset = address - found->first;
  if (offset > found->second.bytes || bytes > found->second.bytes - offset)
    fault(std::string(name) + " takes " + std::to_string(bytes) + " bytes from " + describe(memory) +
          ", which is beyond its end");
}

void check_host(const char* name, const void* memory, std::size_t bytes) {
  if (memory == nullptr || is_device(memory))
    fault(std::string(name) + " must be host memory of " + std::to_string(bytes) + " bytes, and is " +
          describe(memory));
}

void check_alive(const char* name, const void* memory, std::size_t bytes, bool initialised) {
  if (!watches_bytes) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const State* states = &state_of(begin);
  for (std::size_t i = 0; i < bytes; ++i) {
    if (states[i] == State::initialised || (!initialised && states[i] == State::uninitialised)) continue;
    const auto* at = static_cast<const std::byte*>(memory) + i;
    if (states[i] == State::uninitialised) fault(std::string(name) + " was never written: " + describe(at));
    fault(std::string(name) + " is not there when its turn comes: " + describe(at));
  }
}

void mark_initialised(void* memory, std::size_t bytes) {
  if (!watches_bytes) return;
  std::memset(&state_of(reinterpret_cast<std::uintptr_t>(memory)), static_cast<int>(State::initialised), bytes);
}

void mark_uninitialised(void* memory, std::size_t bytes) {
  if (!watches_bytes) return;
  check_alive("memory", memory, bytes, false);
  std::memset(&state_of(reinterpret_cast<std::uintptr_t>(memory)), static_cast<int>(State::uninitialised), bytes);
  poison(memory, bytes);
}

void poison(void* memory, std::size_t bytes) {
  auto* at = static_cast<std::byte*>(memory);
  for (; bytes >= sizeof(poison_word); at += sizeof(poison_word), bytes -= sizeof(poison_word))
    std::memcpy(at, &poison_word, sizeof(poison_word));
  std::memcpy(at, &poison_word, bytes);
}

bool is_poison(const void* memory, std::size_t bytes) {
  const auto* at = static_cast<const std::byte*>(memory);
  for (; bytes >= sizeof(poison_word); at += sizeof(poison_word), bytes -= sizeof(poison_word))
    if (std::memcmp(at, &poison_word, sizeof(poison_word)) != 0) return false;
  return std::memcmp(at, &poison_word, bytes) == 0;
}

void* pin(std::size_t bytes) {
  void* memory = std::aligned_alloc(page, (bytes + page - 1) / page * page);
  if (memory == nullptr) return nullptr;
  poison(memory, bytes);
  pinned.emplace(reinterpret_cast<std::uintptr_t>(memory), Pinned{bytes, current_call()});
  return memory;
}

std::size_t pinned_bytes(const void* memory) {
  const auto found = pinned.find(reinterpret_cast<std::uintptr_t>(memory));
  if (found == pinned.end()) fault("not from cudaMallocHost, or freed before: " + describe(memory));
  return found->second.bytes;
}

void unpin(void* memory) {
  poison(memory, pinned_bytes(memory));
  pinned.erase(reinterpret_cast<std::uintptr_t>(memory));
  std::free(memory);
}

std::string leaked_pinned_memory() {
  std::string lines;
  for (const auto& [begin, memory] : pinned)
    lines += "  " + std::to_string(memory.bytes) + " bytes of pinned memory from " + memory.made_by + "\n";
  return lines;
}

}  // namespace cuda_emulation
