// Elementary functions without branches, so that loops over them vectorise.
#pragma once

#include <bit>
#include <cstdint>

#include "backend/cpu/vector_target.h"

namespace lyaplock::cpu {

/// 2^n for n in [-126, 127].
LYAPLOCK_INLINE float power_of_two(std::int32_t n) { return std::bit_cast<float>((n + 127) << 23); }

/// exp(x) to 1 ulp or so over the whole range, subnormal results included: +inf from 88.73 on, 0 below -103.98, NaN
/// for NaN. The coefficients are a Chebyshev fit of (exp(r) - 1 - r) / r² over |r| <= ln(2)/2, made in 40 digits.
LYAPLOCK_INLINE float exponential(float x) {
  // Beyond these the result is infinite or zero anyway. Written so that NaN passes through.
  x = x > 89.0F ? 89.0F : x;
  x = x < -105.0F ? -105.0F : x;
  // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
  constexpr float rounding = 12582912.0F;
  const float shifted = x * 1.44269504F + rounding;
  const std::int32_t n = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(rounding);
  const float whole = shifted - rounding;
  // ln(2) in two parts, the first with zeros at its end: whole * the first is exact.
  const float r = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
  float p = 0.00139262134663F;
  p = p * r + 0.00836320297158F;
  p = p * r + 0.0416665544377F;
  p = p * r + 0.16666576846F;
  p = p * r + 0.5F;
  p = p * (r * r) + r + 1.0F;
  // In two steps, since 2^n itself may overflow or be subnormal.
  const std::int32_t half = n >> 1;
  return p * power_of_two(half) * power_of_two(n - half);
}

/// 1 / (1 + exp(-x)).
LYAPLOCK_INLINE float logistic(float x) { return 1.0F / (1.0F + exponential(-x)); }

/// The standard normal distribution at x: its density, and the probability of less than x, to 1e-6 relative where
/// |x| < 5, in the lower tail too (where 1 + erf cancels).
struct NormalDistribution {
  float density;
  float cumulative;
};

LYAPLOCK_INLINE NormalDistribution normal_distribution(float x) {
  const float square = x * x;
  const float bell = exponential(-0.5F * square);
  // |x| <= 1: (cumulative - 1/2) / x, a Chebyshev fit in x².
  float centre = -7.66053817138e-6F;
  centre = centre * square + 0.000113502296193F;
  centre = centre * square - 0.0011863439888F;
  centre = centre * square + 0.00997332848126F;
  centre = centre * square - 0.0664903605672F;
  centre = centre * square + 0.398942280131F;
  // |x| > 1: the tail is bell * u * p(u), u = 1 / (1 + 0.35 |x|); p a Chebyshev fit for |x| in [1, 14.5], beyond which
  // float32 holds zero.
  const float distance = x < 0.0F ? -x : x;
  const float u = 1.0F / (1.0F + 0.35F * distance);
  float p = 0.0403145029743F;
  p = p * u - 0.0995813745183F;
  p = p * u + 0.0294729371996F;
  p = p * u + 0.0416880511593F;
  p = p * u + 0.0856277825849F;
  p = p * u + 0.123482140484F;
  p = p * u + 0.139495995087F;
  p = p * u + 0.139636737737F;
  const float tail = bell * u * p;
  const float outer = x < 0.0F ? tail : 1.0F - tail;
  // square is infinite before x is: `inner` is NaN there and not chosen. NaN itself comes out of either.
  const float inner = 0.5F + x * centre;
  return {0.398942280F * bell, distance > 1.0F ? outer : inner};
}

}  // namespace lyaplock::cpu
