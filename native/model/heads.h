// Heads of attention as rows.
#pragma once

#include "base/matrix_view.h"

namespace lyaplock {

/// Dense rows of several heads as rows of one.
template <class View>
View each_head(const View& heads, std::size_t width) {
  return {heads.data, heads.size() / width, width};
}

}  // namespace lyaplock
