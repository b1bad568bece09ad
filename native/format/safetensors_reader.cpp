#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "format/data_type.h"
#include "format/file_error.h"
#include "format/safetensors.h"
#include "format/safetensors_header.h"

namespace lyaplock {

// Multi-byte values in the file are little-endian and are read as they lie.
static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::size_t length_bytes = 8;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::model_format, path + ": " + what + "; the file is damaged or not a safetensors file");
}

std::string quoted(const std::string& name) { return "tensor \"" + name + "\""; }

/// Unmaps on the way out, unless released.
class Mapping {
 public:
  Mapping(void* address, std::size_t bytes) : bytes_(static_cast<const std::byte*>(address), bytes) {}
  ~Mapping() {
    if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  void release() { bytes_ = {}; }

 private:
  std::span<const std::byte> bytes_;
};

struct FileDescriptor {
  int number;
  ~FileDescriptor() {
    if (number >= 0) ::close(number);
  }
};

Mapping map(const std::string& path) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) throw file_error(path, "cannot be opened", errno);
  struct stat status = {};
  if (fstat(file.number, &status) != 0) throw file_error(path, "cannot be read", errno);
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::file, path + " is not a regular file; give the path of one");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < length_bytes)
    fail(path, "the file has " + std::to_string(size) + " bytes, fewer than the 8 that hold the header's length");
  if (size > std::numeric_limits<std::size_t>::max()) fail(path, "the file exceeds the address space");
  void* address = mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_PRIVATE, file.number, 0);
  if (address == MAP_FAILED) throw file_error(path, "cannot be mapped into memory", errno);
  return {address, static_cast<std::size_t>(size)};
}

/// The product, or nothing where it exceeds 64 bits.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
  return a * b;
}

/// Bytes that type and shape ask for, or nothing where they exceed 64 bits.
std::optional<std::uint64_t> bytes_of(DataType type, const std::vector<std::uint64_t>& shape) {
  // A zero makes the whole tensor empty, however large the other sizes are.
  if (std::find(shape.begin(), shape.end(), 0U) != shape.end()) return 0;
  std::optional<std::uint64_t> bytes = width_of(type);
  for (const std::uint64_t size : shape) {
    bytes = product(*bytes, size);
    if (!bytes) return std::nullopt;
  }
  return bytes;
}

/// The claim as a tensor, once it fits its type, its shape and the file.
TensorInfo checked(const TensorClaim& claim, std::span<const std::byte> data, const std::string& path) {
  const std::optional<DataType> type = data_type_named(claim.type);
  if (!type)
    throw Error(ErrorCode::model_format,
                path + ": " + quoted(claim.name) + " is of type " + claim.type +
                    ", which this version does not read; convert it to F32, F16 or BF16 first");
  if (claim.begin > claim.end)
    fail(path, quoted(claim.name) + " begins at byte " + std::to_string(claim.begin) + " and ends before, at " +
                   std::to_string(claim.end));
  if (claim.end > data.size())
    fail(path, quoted(claim.name) + " ends at byte " + std::to_string(claim.end) + " of the data; the file has " +
                   std::to_string(data.size()));
  const std::optional<std::uint64_t> expected = bytes_of(*type, claim.shape);
  if (!expected || *expected != claim.end - claim.begin)
    fail(path, quoted(claim.name) + " should take " +
                   (expected ? std::to_string(*expected) + " bytes" : std::string("more bytes than 64 bits count")) +
                   " by its type and shape; the header gives it " + std::to_string(claim.end - claim.begin));
  return {*type, {claim.shape.begin(), claim.shape.end()}, data.subspan(claim.begin, claim.end - claim.begin)};
}

void check_no_overlap(std::vector<const TensorClaim*> claims, const std::string& path) {
  std::sort(claims.begin(), claims.end(), [](const TensorClaim* a, const TensorClaim* b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
  });
  for (std::size_t i = 1; i < claims.size(); ++i)
    if (claims[i]->begin < claims[i - 1]->end)
      fail(path, quoted(claims[i]->name) + " begins at byte " + std::to_string(claims[i]->begin) + ", inside " +
                     quoted(claims[i - 1]->name) + ", which ends at " + std::to_string(claims[i - 1]->end));
}

}  // namespace

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  Mapping mapping = map(path);
  std::shared_ptr<const SafetensorsFile> file(new SafetensorsFile(path, mapping.bytes()));
  mapping.release();  // its destructor sees to it from here
  return file;
}

SafetensorsFile::SafetensorsFile(std::string path, std::span<const std::byte> mapping)
    : path_(std::move(path)), mapping_(mapping) {
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, mapping.data(), length_bytes);
  if (header_bytes > max_header_bytes)
    fail(path_, "the header claims " + std::to_string(header_bytes) + " bytes; at most " +
                    std::to_string(max_header_bytes) + " are allowed");
  if (header_bytes > mapping.size() - length_bytes)
    fail(path_, "the header claims " + std::to_string(header_bytes) + " bytes; the file has " +
                    std::to_string(mapping.size() - length_bytes) + " after its first 8");
  const std::span<const std::byte> json = mapping.subspan(length_bytes, static_cast<std::size_t>(header_bytes));
  const std::span<const std::byte> data = mapping.subspan(length_bytes + static_cast<std::size_t>(header_bytes));

  SafetensorsHeader header = parse_safetensors_header({reinterpret_cast<const char*>(json.data()), json.size()}, path_);
  std::vector<const TensorClaim*> claims;
  for (const TensorClaim& claim : header.tensors) {
    tensors_.emplace(claim.name, checked(claim, data, path_));
    if (claim.begin != claim.end) claims.push_back(&claim);
  }
  check_no_overlap(std::move(claims), path_);
  metadata_ = std::move(header.metadata);
}

SafetensorsFile::~SafetensorsFile() { munmap(const_cast<std::byte*>(mapping_.data()), mapping_.size()); }

const TensorInfo& SafetensorsFile::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    throw Error(ErrorCode::model_format, path_ + ": there is no " + quoted(name) + " among its " +
                                             std::to_string(tensors_.size()) +
                                             " tensors; is this the file that goes with the configuration?");
  return found->second;
}

}  // namespace lyaplock
