#include "format/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>

#include "base/error.h"
#include "format/file_error.h"

namespace lyaplock {

namespace {

struct FileDescriptor {
  int number;
  ~FileDescriptor() {
    if (number >= 0) ::close(number);
  }
};

}  // namespace

MappedFile::MappedFile(std::string path) : path_(std::move(path)) {
  const FileDescriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) throw file_error(path_, "cannot be opened", errno);
  struct stat status = {};
  if (fstat(file.number, &status) != 0) throw file_error(path_, "cannot be read", errno);
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::file, path_ + " is not a regular file; give the path of one");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == 0) return;  // which cannot be mapped
  if (size > std::numeric_limits<std::size_t>::max())
    throw Error(ErrorCode::file, path_ + " exceeds the address space; use a 64-bit system");
  void* address = mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_PRIVATE, file.number, 0);
  if (address == MAP_FAILED) throw file_error(path_, "cannot be mapped into memory", errno);
  bytes_ = {static_cast<const std::byte*>(address), static_cast<std::size_t>(size)};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace lyaplock
