// What LAPACK's iterative routines, and cuSOLVER's after them, say of their end.
#pragma once

#include <string>

#include "base/error.h"

namespace lyaplock {

/// ErrorCode::internal for an argument that was refused (info < 0), not_finite where there was no convergence (info >
/// 0).
inline void check_converged(const char* routine, int info) {
  if (info < 0)
    throw Error(ErrorCode::internal,
                std::string(routine) + " refused its argument " + std::to_string(-info) + "; please report this");
  if (info > 0)
    throw Error(ErrorCode::not_finite, std::string(routine) +
                                           " did not converge: intermediate numbers overflow or vanish. Scale the "
                                           "matrix so that its elements are nearer to 1");
}

}  // namespace lyaplock
