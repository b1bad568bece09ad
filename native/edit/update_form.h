// The choices an update leaves open.
#pragma once

namespace lyaplock {

/// What a layer remembers of the facts it was given.
enum class Memory {
  values,  // their keys and the values they reached, which later updates keep (LyapLock)
  keys,    // their keys alone, which later updates disturb as little as they can (MEMIT in sequence, AlphaEdit)
  none,    // nothing: every update is the first (MEMIT, ROME, EMMET)
};

/// Systems of the size of the number of facts, or of the key space.
enum class UpdateForm { dual, primal };

}  // namespace lyaplock
