// A test registers itself, throws at its first failed check, and is counted.
#pragma once

#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"

namespace lyaplock::test {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Test {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Test>& registry() {
  static std::vector<Test> tests;
  return tests;
}

struct Registration {
  Registration(std::string name, std::function<void()> body) {
    registry().push_back({std::move(name), std::move(body)});
  }
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  throw Failure(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

/// Runs `action` and asks that it throws lyaplock::Error with that code; returns the message.
inline std::string expect_error(const char* file, int line, ErrorCode code, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.code() == code) return error.what();
    fail(file, line,
         std::string("expected ") + name_of(code) + ", came " + name_of(error.code()) + ": " + error.what());
  }
  fail(file, line, std::string("expected ") + name_of(code) + ", nothing was thrown");
}

}  // namespace lyaplock::test

#define CONCATENATE_NOW(a, b) a##b
#define CONCATENATE(a, b) CONCATENATE_NOW(a, b)

/// TEST("what holds") { ... }
#define TEST(name)                                                                                                    \
  static void CONCATENATE(test_, __LINE__)();                                                                         \
  static const ::lyaplock::test::Registration CONCATENATE(registered_, __LINE__)(name, CONCATENATE(test_, __LINE__)); \
  static void CONCATENATE(test_, __LINE__)()

#define CHECK(condition)                                                                 \
  do {                                                                                   \
    if (!(condition)) ::lyaplock::test::fail(__FILE__, __LINE__, "not so: " #condition); \
  } while (false)

#define CHECK_ERROR(code, ...) ::lyaplock::test::expect_error(__FILE__, __LINE__, code, [&] { __VA_ARGS__; })
