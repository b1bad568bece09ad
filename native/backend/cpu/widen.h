// From bfloat16 to float32.
#pragma once

#include <bit>

#include "backend/cpu/vector_target.h"
#include "base/half.h"

namespace lyaplock::cpu {

/// y = x, n elements.
LYAPLOCK_VECTORISED inline void to_float32(std::size_t n, const Bfloat16* LYAPLOCK_RESTRICT x,
                                           float* LYAPLOCK_RESTRICT y) {
  for (std::size_t i = 0; i < n; ++i) y[i] = bfloat16_to_float32(x[i].bits);
}

}  // namespace lyaplock::cpu
