#include "calls.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "memory.h"
#include "streams.h"

namespace cuda_emulation {

// As cuda_emulation.h declares them.
std::size_t calls();
void fail_call(std::size_t n);
const char* failed_call();
void set_total_memory(std::size_t bytes);
std::size_t bytes_in_use();

namespace {

struct Handle {
  std::string kind;
  std::string made_by;
  bool destroyed = false;
};

/// Of which call is to fail, as LYAPLOCK_CUDA_EMULATION_FAIL says it: "cudaMemcpyAsync:12" is the twelfth of that name,
/// "cudaMemcpyAsync:12+" that and every call of any name after it, as when the device is lost.
struct Demand {
  std::string name;
  std::size_t at = 0;
  bool and_all_after = false;
  std::size_t seen = 0;
};

struct Everything {
  std::recursive_mutex mutex;
  std::size_t counted = 0;
  std::size_t failing = 0;
  std::string failed;
  bool has_failed = false;
  Demand demand;
  std::map<const void*, Handle> handles;
};

Everything& everything() {
  // Never destroyed: what is destroyed at exit may still call.
  static Everything* const all = [] {
    auto* made = new Everything;
    if (const char* text = std::getenv("LYAPLOCK_CUDA_EMULATION_FAIL")) {
      const std::string demand = text;
      const std::size_t colon = demand.find(':');
      if (colon == std::string::npos) fault("LYAPLOCK_CUDA_EMULATION_FAIL is not name:number or name:number+");
      made->demand = {demand.substr(0, colon), std::strtoull(demand.c_str() + colon + 1, nullptr, 10),
                      demand.back() == '+'};
    }
    return made;
  }();
  return *all;
}

thread_local cudaError_t last_error = cudaSuccess;
thread_local std::string unasked;

bool is_demanded(Demand& demand, const char* name) {
  if (demand.at == 0) return false;
  if (demand.seen >= demand.at) return demand.and_all_after;
  return demand.name == name && ++demand.seen == demand.at;
}

/// What nobody gave back ends the program with an error of its own. Runs after the destructors of everything else.
[[gnu::destructor(101)]] void report_leaks() {
  const std::string leaks = leaked_memory() + leaked_pinned_memory() + leaked_handles();
  if (leaks.empty()) return;
  std::fflush(stdout);
  std::fprintf(stderr, "cuda emulation: left at exit:\n%s", leaks.c_str());
  std::fflush(stderr);
  _exit(86);
}

}  // namespace

Call::Call(const char* name, std::string arguments, bool counted)
    : lock_(everything().mutex), text_(std::string(name) + "(" + std::move(arguments) + ")"), context_(text_) {
  if (!unasked.empty()) fault("before this call, nobody asked cudaGetLastError whether " + unasked + " went well");
  if (!counted) return;
  Everything& all = everything();
  ++all.counted;
  fails_ = (all.failing > 0 && --all.failing == 0) || is_demanded(all.demand, name);
  if (!fails_) return;
  all.has_failed = true;
  if (all.failed.empty()) all.failed = name;
}

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t forget_last_error() {
  unasked.clear();
  return std::exchange(last_error, cudaSuccess);
}

void expect_question_after(const std::string& launch) { unasked = launch; }

bool has_failed() { return everything().has_failed; }

void check_handle(const char* kind, const void* handle) {
  const std::string wanted = kind;
  const auto found = everything().handles.find(handle);
  if (found == everything().handles.end()) fault("no " + wanted + ": " + describe(handle));
  if (found->second.kind != kind) fault("a " + wanted + " is due, not a " + found->second.kind);
  if (found->second.destroyed) fault("this " + wanted + " was destroyed before");
}

void add_handle(const char* kind, const void* handle) {
  everything().handles.insert_or_assign(handle, Handle{kind, current_call()});
}

void remove_handle(const char* kind, const void* handle) {
  check_handle(kind, handle);
  everything().handles.at(handle).destroyed = true;
}

std::string leaked_handles() {
  std::string lines;
  for (const auto& [address, handle] : everything().handles)
    if (!handle.destroyed) lines += "  a " + handle.kind + " from " + handle.made_by + "\n";
  return lines;
}

std::size_t calls() { return everything().counted; }
void fail_call(std::size_t n) {
  everything().failing = n;
  everything().failed.clear();
  if (n == 0) everything().has_failed = false;
}
void set_total_memory(std::size_t bytes) { set_total(bytes); }
std::size_t bytes_in_use() { return in_use(); }
const char* failed_call() { return everything().failed.empty() ? nullptr : everything().failed.c_str(); }

}  // namespace cuda_emulation
