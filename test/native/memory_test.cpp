#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

BACKEND_TEST("memory is aligned to 64 bytes, none included") {
  for (const std::size_t bytes : {0, 1, 63, 64, 100, 1000003, 9 << 20}) {
    const std::shared_ptr<void> memory = on.allocate(bytes);
    CHECK(memory != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.get()) % 64 == 0);
  }
}

BACKEND_TEST("too much memory is a typed error") {
  const ErrorCode code = on.shares_host_memory() ? ErrorCode::out_of_memory : ErrorCode::device_memory;
  CHECK_ERROR(code, on.allocate(std::size_t{1} << 60));
  CHECK_ERROR(code, on.allocate(~std::size_t{0}));
  CHECK_ERROR(ErrorCode::out_of_memory, Matrix<double>(on, std::size_t{1} << 40, std::size_t{1} << 40));
}

BACKEND_TEST("adopted memory lives as long as its adoption") {
  auto host = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3});
  const std::weak_ptr<std::vector<float>> watched = host;
  std::shared_ptr<const void> adopted = on.adopt({host, host->data()}, 3 * sizeof(float));
  host.reset();
  float back[3] = {};
  on.download(back, adopted.get(), sizeof(back));
  CHECK(back[0] == 1 && back[1] == 2 && back[2] == 3);
  adopted.reset();
  CHECK(watched.expired());
}

BACKEND_TEST("says what it is") { CHECK(!on.description().empty()); }
