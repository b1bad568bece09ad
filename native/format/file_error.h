// The error for a system call on a file that failed.
#pragma once

#include <string>
#include <system_error>

#include "base/error.h"

namespace lyaplock {

/// "<path> cannot be opened: No such file or directory. <what to do>". `number` is errno.
inline Error file_error(const std::string& path, const std::string& what, int number) {
  const std::string advice = number == ENOENT                       ? ". Check the path"
                             : number == EACCES || number == EPERM  ? ". Check the permissions"
                             : number == ENOSPC || number == EDQUOT ? ". Free some space and try again"
                                                                    : "";
  return {ErrorCode::file, path + " " + what + ": " + std::generic_category().message(number) + advice};
}

}  // namespace lyaplock
