// A mistake that the emulation has found ends the program, as a sanitizer's report does: nothing can swallow it.
#pragma once

#include <string>

namespace cuda_emulation {

/// Says what is wrong, in which call with which arguments, or in which kernel, block and thread; then aborts.
[[noreturn]] void fault(const std::string& what);

/// For the lifetime of this object, faults are those of `call`. Objects nest.
class Context {
 public:
  explicit Context(const std::string& call);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

 private:
  const std::string* outer_;
};

/// "cudaFreeHost(memory = 0x7f..)", for messages about what it made.
std::string current_call();

}  // namespace cuda_emulation
