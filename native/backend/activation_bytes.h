// How much the activations of one pass may take.
#pragma once

#include <algorithm>
#include <cstddef>

namespace lyaplock {

/// On the host: what lies beside the weights of the smallest models that people edit.
inline constexpr std::size_t kHostActivationBytes = 768ULL << 20;

/// On a device with so many bytes of memory of its own. A 32nd of it is no more than an update needs later, so that the
/// most memory of a run stays the same, and on 80 GiB gives three times the rows of what the host has.
constexpr std::size_t device_activation_bytes(std::size_t memory) {
  return std::max(kHostActivationBytes, memory / 32);
}

}  // namespace lyaplock
