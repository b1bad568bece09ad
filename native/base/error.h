// The one exception type of the native code. Its code is what JavaScript sees as `error.code`.
#pragma once

#include <stdexcept>
#include <string>

namespace lyaplock {

enum class ErrorCode {
  aborted,                // the caller's AbortSignal fired
  device,                 // a GPU, or what it needs, is missing, too old or lost
  device_memory,          // an allocation on a GPU failed
  file,                   // a file could not be opened, read, written or renamed
  ill_conditioned,        // a matrix that can be factored, but not solved to any accuracy worth having
  internal,               // a promise of ours broken: always a bug of this project
  invalid_argument,       // a value out of its range
  model_format,           // a model file or its configuration does not hold together
  not_finite,             // NaN or infinity where numbers were due
  not_positive_definite,  // a Cholesky factorisation met a pivot that is not positive
  not_symmetric,          // a matrix that must equal its transpose does not
  out_of_memory,          // an allocation failed
  shape,                  // two sizes that must agree do not
};

/// The stable public name, "ERR_NOT_POSITIVE_DEFINITE" for example.
constexpr const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::aborted: return "ERR_ABORTED";
    case ErrorCode::device: return "ERR_DEVICE";
    case ErrorCode::device_memory: return "ERR_DEVICE_MEMORY";
    case ErrorCode::file: return "ERR_FILE";
    case ErrorCode::ill_conditioned: return "ERR_ILL_CONDITIONED";
    case ErrorCode::internal: return "ERR_INTERNAL";
    case ErrorCode::invalid_argument: return "ERR_INVALID_ARGUMENT";
    case ErrorCode::model_format: return "ERR_MODEL_FORMAT";
    case ErrorCode::not_finite: return "ERR_NOT_FINITE";
    case ErrorCode::not_positive_definite: return "ERR_NOT_POSITIVE_DEFINITE";
    case ErrorCode::not_symmetric: return "ERR_NOT_SYMMETRIC";
    case ErrorCode::out_of_memory: return "ERR_OUT_OF_MEMORY";
    case ErrorCode::shape: return "ERR_SHAPE";
  }
  return "ERR_INTERNAL";
}

/// The message says what was wrong, where, and what to do about it, in that order.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace lyaplock
