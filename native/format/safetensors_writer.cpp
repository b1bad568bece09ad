#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <set>
#include <utility>

#include "base/error.h"
#include "format/file_error.h"
#include "format/json.h"
#include "format/safetensors.h"

namespace lyaplock {

namespace {

constexpr std::size_t data_alignment = 8;

/// A file beside its place that takes it when complete, and disappears otherwise.
class ReplacementFile {
 public:
  explicit ReplacementFile(const std::string& path) : path_(path) {
    // The number tells apart two writes of one process, the process id two processes.
    static std::atomic<unsigned> writes = 0;
    temporary_ = path + "." + std::to_string(getpid()) + "-" + std::to_string(writes++) + ".tmp";
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw file_error(path_, "cannot be written", errno);
  }
  ~ReplacementFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }
  ReplacementFile(const ReplacementFile&) = delete;
  ReplacementFile& operator=(const ReplacementFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    constexpr std::size_t most_at_once = std::size_t{1} << 30;  // Linux and macOS both refuse 2 GiB or more
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), most_at_once));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw file_error(path_, "cannot be written", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  /// Flushes to disk and takes the place of `path`.
  void commit() {
    if (::fsync(descriptor_) != 0) throw file_error(path_, "cannot be flushed to disk", errno);
    const int closed = ::close(std::exchange(descriptor_, -1));
    if (closed != 0 && errno != EINTR) throw file_error(path_, "cannot be written", errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw file_error(path_, "cannot be put in place", errno);
    temporary_.clear();
    flush_directory();
  }

 private:
  /// So that the new name survives a power cut. Some file systems cannot; the content is on disk either way.
  void flush_directory() const {
    const std::size_t slash = path_.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    static_cast<void>(::fsync(descriptor));
    ::close(descriptor);
  }

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

std::string shape_json(const std::vector<std::size_t>& shape) {
  std::string text;
  for (const std::size_t size : shape) text += (text.empty() ? "" : ",") + std::to_string(size);
  return "[" + text + "]";
}

/// Bytes of a tensor whose claims were checked.
std::size_t size_of(const TensorToWrite& tensor) {
  return static_cast<std::size_t>(*byte_count(tensor.type, {tensor.shape.begin(), tensor.shape.end()}));
}

/// The header, padded with spaces so that the data after it is aligned.
std::string header_json(const std::vector<TensorToWrite>& tensors, const std::map<std::string, std::string>& metadata) {
  std::string members;
  for (const auto& [name, value] : metadata)
    members += (members.empty() ? "" : ",") + json_string(name) + ":" + json_string(value);
  std::string json = "{";
  if (!metadata.empty()) json += "\"__metadata__\":{" + members + "}";
  std::size_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    const std::size_t end = offset + size_of(tensor);
    if (json.size() > 1) json += ",";
    json += json_string(tensor.name) + ":{\"dtype\":\"" + name_of(tensor.type) +
            "\",\"shape\":" + shape_json(tensor.shape) + ",\"data_offsets\":[" + std::to_string(offset) + "," +
            std::to_string(end) + "]}";
    offset = end;
  }
  json += "}";
  json.append((data_alignment - json.size() % data_alignment) % data_alignment, ' ');
  return json;
}

void check_size(const std::string& path, const TensorToWrite& tensor, std::size_t received) {
  if (received != size_of(tensor))
    throw Error(ErrorCode::shape, path + ": tensor \"" + tensor.name + "\" needs " + std::to_string(size_of(tensor)) +
                                      " bytes by its type and shape; received " + std::to_string(received));
}

void check(const std::string& path, const std::vector<TensorToWrite>& tensors) {
  std::set<std::string> names = {"__metadata__"};
  for (const TensorToWrite& tensor : tensors) {
    if (!names.insert(tensor.name).second)
      throw Error(ErrorCode::invalid_argument,
                  path + ": the name \"" + tensor.name + "\" is taken; give each tensor a name of its own");
    if (is_quantised(tensor.type))
      throw Error(ErrorCode::invalid_argument, path + ": tensor \"" + tensor.name + "\" is of type " +
                                                   name_of(tensor.type) + ", which safetensors files do not have");
    const auto bytes = byte_count(tensor.type, {tensor.shape.begin(), tensor.shape.end()});
    if (!bytes || *bytes > std::numeric_limits<std::size_t>::max())
      throw Error(ErrorCode::shape, path + ": tensor \"" + tensor.name + "\" exceeds the address space");
    if (!tensor.make_bytes) check_size(path, tensor, tensor.bytes.size());
  }
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  check(path, tensors);
  const std::string header = header_json(tensors, metadata);
  const std::array<std::uint64_t, 1> header_bytes = {header.size()};

  ReplacementFile file(path);
  file.write(std::as_bytes(std::span(header_bytes)));
  file.write(std::as_bytes(std::span(header)));
  for (const TensorToWrite& tensor : tensors) {
    if (!tensor.make_bytes) {
      file.write(tensor.bytes);
      continue;
    }
    const std::vector<std::byte> bytes = tensor.make_bytes();
    check_size(path, tensor, bytes.size());
    file.write(bytes);
  }
  file.commit();
}

}  // namespace lyaplock
