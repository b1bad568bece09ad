#include "base/text.h"

#include "check.h"

using namespace lyaplock;

TEST("sizes of memory are written in the unit that fits, without an exponent") {
  constexpr std::size_t mebibyte = std::size_t{1} << 20;
  CHECK(memory_to_text(mebibyte / 4) == "0.25 MiB");
  CHECK(memory_to_text(512 * mebibyte) == "512 MiB");
  CHECK(memory_to_text(999 * mebibyte) == "999 MiB");
  CHECK(memory_to_text(1000 * mebibyte) == "0.977 GiB");
  CHECK(memory_to_text(16384 * mebibyte) == "16 GiB");
  CHECK(memory_to_text((std::size_t{1} << 43)) == "8 TiB");
  CHECK(memory_to_text((std::size_t{8190} << 30)) == "8 TiB");
  CHECK(memory_to_text((std::size_t{1} << 52)) == "4 PiB");
}
