// Device memory: a range of addresses of its own, which the host cannot touch while no device work runs, and the state
// of every byte of it. And pinned host memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cuda_emulation {

/// Whether the state of every byte is known, and device memory closed to the host. Without it, calls are checked, but
/// not what kernels and the host touch.
#ifdef LYAPLOCK_CUDA_EMULATION_UNWATCHED
inline constexpr bool watches_bytes = false;
#else
inline constexpr bool watches_bytes = true;
#endif

/// Of a byte of device memory. What is 0 was never allocated.
enum class State : std::uint8_t { none = 0, uninitialised = 1, initialised = 2, freed = 3 };

// Where all device memory lies; a state lies `to_state` bytes behind its byte.
inline constexpr std::size_t arena_bytes = std::size_t{1} << 38;
extern std::uintptr_t arena;  // 0 before the first allocation
extern std::ptrdiff_t to_state;

inline bool is_device(std::uintptr_t address) { return address - arena < arena_bytes && arena != 0; }
inline bool is_device(const void* memory) { return is_device(reinterpret_cast<std::uintptr_t>(memory)); }
inline State& state_of(std::uintptr_t address) {
  return *reinterpret_cast<State*>(address + static_cast<std::uintptr_t>(to_state));
}

/// While an object of this lives, the host may touch device memory.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// --- allocations ----------------------------------------------------------------------------------------------------

/// An address aligned to 256 bytes, or nullptr if that exceeds the device's memory. It may be named in calls, but holds
/// nothing before begin_life.
void* reserve(std::size_t bytes);
/// Uninitialised from now on, and full of NaN.
void begin_life(void* memory);
/// From now on, calls must not name the memory.
void condemn(void* memory);
/// From now on, device work must not touch it.
void end_life(void* memory);

void set_total(std::size_t bytes);
std::size_t total();
std::size_t in_use();
/// One line for every allocation that is still there.
std::string leaked_memory();

// --- checks ---------------------------------------------------------------------------------------------------------

/// "device memory, 4 bytes past the end of the 400 that cudaMallocAsync(...) gave", "host memory".
std::string describe(const void* memory);
/// Faults unless a call may name these bytes as device memory.
void check_device(const char* name, const void* memory, std::size_t bytes);
/// Faults if these bytes are not the host's.
void check_host(const char* name, const void* memory, std::size_t bytes);
/// While device work runs: faults unless all bytes are alive, and `initialised` if asked.
void check_alive(const char* name, const void* memory, std::size_t bytes, bool initialised);
void mark_initialised(void* memory, std::size_t bytes);
/// Alive bytes become uninitialised again.
void mark_uninitialised(void* memory, std::size_t bytes);

// --- poison ---------------------------------------------------------------------------------------------------------

/// A NaN as a float, as a double and as two halves of either; as an index, far outside of everything.
inline constexpr std::uint32_t poison_word = 0x7ff4dead;
void poison(void* memory, std::size_t bytes);
bool is_poison(const void* memory, std::size_t bytes);

// --- pinned host memory ---------------------------------------------------------------------------------------------

void* pin(std::size_t bytes);
/// Faults unless `memory` came from pin.
void unpin(void* memory);
/// The bytes of that pinned memory from its begin; faults as unpin.
std::size_t pinned_bytes(const void* memory);
std::string leaked_pinned_memory();

}  // namespace cuda_emulation
