// Runs every test, or those whose name contains the first argument.
#include <cstdio>
#include <cstring>

#include "check.h"

int main(int count, char** arguments) {
  using namespace lyaplock::test;
  int passed = 0;
  int failed = 0;
  for (const Test& test : registry()) {
    if (count > 1 && std::strstr(test.name.c_str(), arguments[1]) == nullptr) continue;
    try {
      test.body();
      ++passed;
    } catch (const std::exception& error) {
      ++failed;
      std::printf("FAILED  %s\n        %s\n", test.name.c_str(), error.what());
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
