#include "base/half.h"

#include "check.h"

using namespace lyaplock;

namespace {

/// By the definition of binary16.
double value_of_float16(std::uint16_t half) {
  const int exponent = half >> 10 & 31;
  const double fraction = half & 1023;
  const double sign = half >> 15 != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

double value_of_bfloat16(std::uint16_t half) {
  const int exponent = half >> 7 & 255;
  const double fraction = half & 127;
  const double sign = half >> 15 != 0 ? -1 : 1;
  if (exponent == 255) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -133);
  return sign * std::ldexp(128 + fraction, exponent - 134);
}

bool same(double a, double b) { return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b); }

/// Rounds to nearest, between every two neighbours: below their middle down, above it up, at it to the even one.
void check_rounding(std::uint16_t largest, double (*value_of)(std::uint16_t), std::uint16_t (*round)(float)) {
  for (std::uint16_t half = 0; half < largest; ++half) {
    const double below = value_of(half);
    const auto middle = static_cast<float>((below + value_of(static_cast<std::uint16_t>(half + 1))) / 2);
    const std::uint16_t even = half % 2 == 0 ? half : half + 1;
    CHECK(round(middle) == even);
    CHECK(round(-middle) == (even | 0x8000));
    CHECK(round(std::nextafterf(middle, 0)) == half);
    CHECK(round(std::nextafterf(middle, INFINITY)) == half + 1);
  }
}

}  // namespace

TEST("every float16 and bfloat16 becomes its exact value, and comes back") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    CHECK(same(value_of_float16(half), static_cast<double>(float16_to_float32(half))));
    CHECK(same(value_of_bfloat16(half), static_cast<double>(bfloat16_to_float32(half))));
    const std::uint16_t float16_back = float32_to_float16(float16_to_float32(half));
    const std::uint16_t bfloat16_back = float32_to_bfloat16(bfloat16_to_float32(half));
    CHECK(float16_back == half || std::isnan(value_of_float16(float16_back)));
    CHECK(bfloat16_back == half || std::isnan(value_of_bfloat16(bfloat16_back)));
    CHECK(same(value_of_float16(half), value_of_float16(float16_back)));
    CHECK(same(value_of_bfloat16(half), value_of_bfloat16(bfloat16_back)));
  }
}

TEST("float32 rounds to the nearest float16 and bfloat16, ties to even") {
  check_rounding(0x7bff, value_of_float16, float32_to_float16);
  check_rounding(0x7f7f, value_of_bfloat16, float32_to_bfloat16);
  CHECK(float32_to_float16(65519.996F) == 0x7bff);
  CHECK(float32_to_float16(65520.0F) == 0x7c00);
  CHECK(float32_to_float16(1e30F) == 0x7c00);
  CHECK(float32_to_bfloat16(3.4028235e38F) == 0x7f80);
}
