// An addon with mistakes in it, for scripts/sanitize.mjs to see that it would notice ours. PLANT names the mistake.

#include <cstdlib>
#include <limits>
#include <string>
#include <thread>

namespace {

int counter = 0;
// Volatile: what the compiler cannot see through, it must do.
volatile int sink = 0;
int* volatile pointer = nullptr;

void count() {
  for (int i = 0; i < 1000; ++i) ++counter;
}

void plant(const std::string& mistake) {
  if (mistake == "use after free") {
    pointer = new int(1);
    delete pointer;
    sink = *pointer;
  } else if (mistake == "leak") {
    for (int i = 0; i < 10; ++i) pointer = new int(i);
    pointer = nullptr;
  } else if (mistake == "overflow") {
    sink = std::numeric_limits<int>::max();
    sink = sink + 1;
  } else if (mistake == "data race") {
    std::thread other(count);
    count();
    other.join();
  }
}

}  // namespace

/// What Node calls when the addon is loaded: Node-API's napi_register_module_v1(env, exports).
extern "C" [[gnu::visibility("default")]] void* napi_register_module_v1(void*, void* exports) {
  if (const char* mistake = std::getenv("PLANT")) plant(mistake);
  return exports;
}
