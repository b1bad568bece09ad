// Runs every test, or those whose name contains the first argument; of these, with "1/2" as the second, one in two from
// the second on.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "check.h"

int main(int count, char** arguments) {
  using namespace lyaplock::test;
  int passed = 0;
  int failed = 0;
  const char* const slash = count > 2 ? std::strchr(arguments[2], '/') : nullptr;
  const int part = slash == nullptr ? 0 : std::atoi(arguments[2]);
  const int parts = slash == nullptr ? 1 : std::max(1, std::atoi(slash + 1));
  int chosen = 0;
  for (const Test& test : registry()) {
    if (count > 1 && std::strstr(test.name.c_str(), arguments[1]) == nullptr) continue;
    if (chosen++ % parts != part) continue;
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
