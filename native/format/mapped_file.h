// A file in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace lyaplock {

/// A whole file, mapped for reading. Pages are read from disk when touched.
class MappedFile {
 public:
  /// ErrorCode::file if it cannot be opened or mapped, or is not a regular file.
  explicit MappedFile(std::string path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
};

}  // namespace lyaplock
