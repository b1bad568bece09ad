// A call from outside: its name and arguments for messages, one at a time, and failing on demand.
#pragma once

#include <cuda_runtime.h>

#include <concepts>
#include <cstdio>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>

#include "fault.h"

namespace cuda_emulation {

/// "m = 3, alpha = 0x7f..." of "m, alpha" and the values.
template <class... T>
std::string list_arguments(std::string_view names, const T&... values) {
  std::ostringstream text;
  const auto one = [&](const auto& value) {
    const std::size_t comma = names.find(',');
    text << names.substr(0, comma) << " = ";
    if constexpr (std::is_pointer_v<std::decay_t<decltype(value)>>)
      text << static_cast<const void*>(value);
    else if constexpr (std::is_enum_v<std::decay_t<decltype(value)>>)
      text << static_cast<int>(value);
    else
      text << value;
    names = comma == std::string_view::npos ? "" : names.substr(comma + 1);
    if (!names.empty()) text << ",";
  };
  (one(values), ...);
  return text.str();
}

class Call {
 public:
  /// With `counted` false, the call cannot be made to fail.
  Call(const char* name, std::string arguments, bool counted = true);
  /// Whether the call is to do nothing and return an error.
  [[nodiscard]] bool fails() const { return fails_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::lock_guard<std::recursive_mutex> lock_;
  std::string text_;
  Context context_;
  bool fails_ = false;
};

/// Begins every function that a program may call: `call` is the Call.
#define CUDA_EMULATION_CALL(...) \
  const Call call(static_cast<const char*>(__func__), list_arguments(#__VA_ARGS__, ##__VA_ARGS__))

/// The last error, until somebody asks for it.
cudaError_t remember(cudaError_t error);
cudaError_t forget_last_error();

/// A launch says by cudaGetLastError whether it went well: the next call must ask.
void expect_question_after(const std::string& launch);

/// Whether a call was made to fail, so that from now on the program may be cleaning up in an unusual order.
bool has_failed();

// --- handles --------------------------------------------------------------------------------------------------------

/// Faults unless `handle` is one of `kind` ("stream", "cuBLAS handle") that was made and not destroyed.
void check_handle(const char* kind, const void* handle);
void add_handle(const char* kind, const void* handle);
void remove_handle(const char* kind, const void* handle);
std::string leaked_handles();

}  // namespace cuda_emulation
