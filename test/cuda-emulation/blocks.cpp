// Runs a kernel: blocks one after the other, the threads of a block in turns. A thread runs until it ends or comes to
// __syncthreads(); then it is put aside with its stack, and the next begins on another. Threads that come to no barrier
// all run on the same stack, one after the other.
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "calls.h"
#include "cuda_runtime.h"
#include "fault.h"
#include "memory.h"
#include "running.h"
#include "streams.h"

__thread uint3 threadIdx;
__thread uint3 blockIdx;
__thread dim3 blockDim;
__thread dim3 gridDim;

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define NOT_SANITIZED __attribute__((no_sanitize("address"), noipa))
#else
#define NOT_SANITIZED __attribute__((noipa))
#endif

namespace cuda_emulation {

// As cuda_emulation.h declares it.
void launch(const char* kernel, dim3 grid, dim3 block, cudaStream_t stream, void (*run)(const void*),
            const void* arguments, std::size_t bytes);

namespace {

using Registers = void* [5];

constexpr std::size_t stack_bytes = std::size_t{128} << 10;

struct Fiber {
  Fiber() {
    memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) fault("no memory for the stacks of a kernel's threads");
    mprotect(memory, 4096, PROT_NONE);
  }
  ~Fiber() { munmap(memory, stack_bytes); }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void* memory;
  Registers registers;
  ucontext_t first;
  bool begun = false;
  void* fake_stack = nullptr;  // AddressSanitizer's
  // The thread that was put aside.
  uint3 thread;
  std::uint32_t number;
};

struct Grid {
  dim3 grid;
  dim3 block;
  void (*run)(const void*);
  const std::vector<std::byte>* arguments;
};

/// What runs blocks on one thread of the host.
class Device {
 public:
  void run(const Grid& grid);
  /// Called on a fiber, by __syncthreads().
  void put_aside();

 private:
  void run_block();
  void run_threads();
  void resume(Fiber& fiber);
  void leave();
  static void fiber_main();

  const Grid* grid_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  std::vector<Fiber*> aside_;
  Fiber* current_ = nullptr;
  Registers scheduler_;
  void* scheduler_fake_stack_ = nullptr;
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_stack_bytes_ = 0;
  std::uint32_t next_thread_ = 0;
  std::uint32_t threads_ = 0;
  std::uint32_t ended_ = 0;
  bool backwards_ = false;
};

thread_local Device device;
__thread Device* running_device;  // reached faster

std::size_t volume(dim3 extent) { return std::size_t{extent.x} * extent.y * extent.z; }

uint3 place_in(dim3 extent, std::size_t number) {
  return {static_cast<unsigned>(number % extent.x), static_cast<unsigned>(number / extent.x % extent.y),
          static_cast<unsigned>(number / extent.x / extent.y)};
}

// Switching stacks by GCC's own setjmp, which saves no signal mask and so needs no call of the system.
// noipa: a caller that knew which registers these functions use would keep others, which another thread then changes.
[[noreturn]] NOT_SANITIZED void jump(void** to) { __builtin_longjmp(to, 1); }
NOT_SANITIZED void switch_stack(void** from, void** to) {
  if (__builtin_setjmp(from) == 0) jump(to);
}
NOT_SANITIZED void begin_stack(void** from, const ucontext_t& to) {
  if (__builtin_setjmp(from) == 0) setcontext(&to);
}

void announce_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* stack,
                     [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
#endif
}

void finish_switch([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** old_stack,
                   [[maybe_unused]] std::size_t* old_bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, old_stack, old_bytes);
#endif
}

void Device::run(const Grid& grid) {
  running_device = this;
  grid_ = &grid;
  threads_ = static_cast<std::uint32_t>(volume(grid.block));
  blockDim = grid.block;
  gridDim = grid.grid;
  prepare_shared_memory();
  running.arguments_begin = reinterpret_cast<std::uintptr_t>(grid.arguments->data());
  running.arguments_end = running.arguments_begin + grid.arguments->size();
  // Blocks come in no order that a program may count on: every other kernel has it reversed.
  backwards_ = !backwards_;
  const std::size_t blocks = volume(grid.grid);
  for (std::size_t i = 0; i < blocks; ++i) {
    blockIdx = place_in(grid.grid, backwards_ ? blocks - 1 - i : i);
    run_block();
  }
}

void Device::run_block() {
  running.block = blockIdx;
  running.first_epoch = ++running.epoch;
  next_thread_ = 0;
  ended_ = 0;
  while (next_thread_ < threads_) {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>());
      idle_.push_back(fibers_.back().get());
    }
    Fiber& fiber = *idle_.back();
    idle_.pop_back();
    resume(fiber);
  }
  while (!aside_.empty()) {
    if (ended_ > 0)
      fault(std::to_string(ended_) + " threads of a block ended, and " + std::to_string(aside_.size()) +
            " wait for them at __syncthreads()");
    ++running.epoch;
    std::vector<Fiber*> turn;
    turn.swap(aside_);
    for (Fiber* fiber : turn) {
      threadIdx = fiber->thread;
      running.thread_number = fiber->number;
      resume(*fiber);
    }
  }
}

/// Goes on with a fiber until its thread is put aside, or no thread is left for it.
void Device::resume(Fiber& fiber) {
  current_ = &fiber;
  running.stack_begin = reinterpret_cast<std::uintptr_t>(fiber.memory);
  running.stack_end = running.stack_begin + stack_bytes;
  announce_switch(&scheduler_fake_stack_, fiber.memory, stack_bytes);
  if (fiber.begun) {
    switch_stack(scheduler_, fiber.registers);
  } else {
    fiber.begun = true;
    getcontext(&fiber.first);
    fiber.first.uc_stack.ss_sp = fiber.memory;
    fiber.first.uc_stack.ss_size = stack_bytes;
    fiber.first.uc_link = nullptr;
    makecontext(&fiber.first, fiber_main, 0);
    begin_stack(scheduler_, fiber.first);
  }
  finish_switch(scheduler_fake_stack_, nullptr, nullptr);
}

/// Back from a fiber to the scheduler, until the fiber is resumed.
void Device::leave() {
  Fiber& fiber = *current_;
  running.active = false;
  announce_switch(&fiber.fake_stack, scheduler_stack_, scheduler_stack_bytes_);
  switch_stack(fiber.registers, scheduler_);
  finish_switch(fiber.fake_stack, &scheduler_stack_, &scheduler_stack_bytes_);
}

void Device::fiber_main() {
  Device& self = device;
  finish_switch(nullptr, &self.scheduler_stack_, &self.scheduler_stack_bytes_);
  for (;;) {
    self.run_threads();
    self.idle_.push_back(self.current_);
    self.leave();
  }
}

void Device::run_threads() {
  while (next_thread_ < threads_) {
    const std::uint32_t number = backwards_ ? threads_ - 1 - next_thread_ : next_thread_;
    ++next_thread_;
    threadIdx = running.thread = place_in(grid_->block, number);
    running.thread_number = number + 1;
    running.active = true;
    grid_->run(grid_->arguments->data());
    running.active = false;
    ++ended_;
  }
}

void Device::put_aside() {
  Fiber& fiber = *current_;
  fiber.thread = threadIdx;
  fiber.number = running.thread_number;
  aside_.push_back(&fiber);
  leave();
  running.thread = fiber.thread;
  running.active = true;
}

std::string text_of(dim3 extent) {
  return "(" + std::to_string(extent.x) + ", " + std::to_string(extent.y) + ", " + std::to_string(extent.z) + ")";
}

}  // namespace

void launch(const char* kernel, dim3 grid, dim3 block, cudaStream_t stream, void (*run)(const void*),
            const void* arguments, std::size_t bytes) {
  const Call call(kernel, "grid " + text_of(grid) + ", block " + text_of(block));
  check_stream(stream);
  // The limits of compute capability 7.0 to 9.0.
  if (volume(grid) == 0 || volume(block) == 0) fault("a grid of no threads cannot be launched");
  if (grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535) fault("more blocks than a grid may have");
  if (block.x > 1024 || block.y > 1024 || block.z > 64 || volume(block) > 1024)
    fault("more threads than a block may have");
  if (bytes > 4096) fault("arguments of " + std::to_string(bytes) + " bytes; 4096 is the limit");
  expect_question_after("the launch of " + std::string(kernel));
  if (call.fails()) {
    (void)remember(cudaErrorLaunchOutOfResources);
    return;
  }
  const auto* begin = static_cast<const std::byte*>(arguments);
  enqueue(stream,
          [=, stored = std::vector<std::byte>(begin, begin + bytes)] { device.run({grid, block, run, &stored}); });
}

}  // namespace cuda_emulation

void __syncthreads();
void __syncthreads() { cuda_emulation::running_device->put_aside(); }
