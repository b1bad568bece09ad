#include "fault.h"

#include <cstdio>
#include <cstdlib>

#include "running.h"

namespace cuda_emulation {

namespace {

thread_local const std::string* current = nullptr;

std::string place_of(const uint3& index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

}  // namespace

Context::Context(const std::string& call) : outer_(current) { current = &call; }
Context::~Context() { current = outer_; }

std::string current_call() { return current == nullptr ? "" : *current; }

void fault(const std::string& what) {
  std::string where = current_call();
  if (running.active) where += ", block " + place_of(running.block) + ", thread " + place_of(running.thread);
  std::fflush(stdout);
  std::fprintf(stderr, "cuda emulation: %s%s%s\n", where.c_str(), where.empty() ? "" : ": ", what.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace cuda_emulation
