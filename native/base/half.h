// Sixteen-bit floating-point numbers, as files and memory hold them.
#pragma once

#include <bit>
#include <cstdint>

namespace lyaplock {

/// The float32 of a float16 (IEEE binary16): exact, subnormals, infinities and NaN included.
constexpr float float16_to_float32(std::uint16_t half) {
  constexpr float rebias = 0x1p112F;  // 127 - 15 = 112: from the exponents of float16 to those of float32
  const std::uint32_t magnitude = (half & 0x7fffU) << 13;
  // The product also normalises what was subnormal.
  std::uint32_t bits = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * rebias);
  if (magnitude >= 0x0f800000U) bits |= 0x7f800000U;  // infinity, NaN
  return std::bit_cast<float>(bits | (half & 0x8000U) << 16);
}

/// A bfloat16 in memory: the upper half of a float32.
struct Bfloat16 {
  std::uint16_t bits;
};

/// The float32 of a bfloat16.
constexpr float bfloat16_to_float32(std::uint16_t half) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
}

/// The float16 nearest to x, ties to even; infinity from 65520 on. NaN stays NaN.
constexpr std::uint16_t float32_to_float16(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);  // 65520
  if (magnitude < 0x38800000U) {  // less than 2^-14: subnormal, counted in units of 2^-24
    // The sum's last bit is worth 2^-24, so the addition rounds as wanted and the count is left in the low bits.
    constexpr float unit_is_last_bit = 0x1p-1F;
    const float shifted = std::bit_cast<float>(magnitude) + unit_is_last_bit;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
  }
  const std::uint32_t odd = magnitude >> 13 & 1U;
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000U + 0xfffU + odd) >> 13));
}

/// The bfloat16 nearest to x, ties to even. NaN stays NaN.
constexpr std::uint16_t float32_to_bfloat16(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

}  // namespace lyaplock
