#include <bit>
#include <cstring>

#include "base/error.h"
#include "format/byte_ranges.h"
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

/// The type of that name in a file ("F32"), or nothing for one this project does not read ("F8_E4M3").
std::optional<DataType> data_type_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(DataType::boolean); ++i)
    if (const auto type = static_cast<DataType>(i); name_of(type) == name) return type;
  return std::nullopt;
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
  const std::optional<std::uint64_t> expected = byte_count(*type, claim.shape);
  if (!expected || *expected != claim.end - claim.begin)
    fail(path, quoted(claim.name) + " should take " +
                   (expected ? std::to_string(*expected) + " bytes" : std::string("more bytes than 64 bits count")) +
                   " by its type and shape; the header gives it " + std::to_string(claim.end - claim.begin));
  return {*type, {claim.shape.begin(), claim.shape.end()}, data.subspan(claim.begin, claim.end - claim.begin)};
}

}  // namespace

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  return std::shared_ptr<const SafetensorsFile>(new SafetensorsFile(path));
}

SafetensorsFile::SafetensorsFile(const std::string& path) : mapping_(path) {
  const std::span<const std::byte> file = mapping_.bytes();
  if (file.size() < length_bytes)
    fail(path,
         "the file has " + std::to_string(file.size()) + " bytes, fewer than the 8 that hold the header's length");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), length_bytes);
  if (header_bytes > max_header_bytes)
    fail(path, "the header claims " + std::to_string(header_bytes) + " bytes; at most " +
                   std::to_string(max_header_bytes) + " are allowed");
  if (header_bytes > file.size() - length_bytes)
    fail(path, "the header claims " + std::to_string(header_bytes) + " bytes; the file has " +
                   std::to_string(file.size() - length_bytes) + " after its first 8");
  const std::span<const std::byte> json = file.subspan(length_bytes, static_cast<std::size_t>(header_bytes));
  const std::span<const std::byte> data = file.subspan(length_bytes + static_cast<std::size_t>(header_bytes));

  SafetensorsHeader header = parse_safetensors_header({reinterpret_cast<const char*>(json.data()), json.size()}, path);
  std::vector<ByteRange> ranges;
  for (const TensorClaim& claim : header.tensors) {
    tensors_.emplace(claim.name, checked(claim, data, path));
    ranges.push_back({claim.name, claim.begin, claim.end});
  }
  if (const auto overlap = overlap_in(std::move(ranges))) fail(path, *overlap);
  metadata_ = std::move(header.metadata);
}

const TensorInfo& SafetensorsFile::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    throw Error(ErrorCode::model_format, path() + ": there is no " + quoted(name) + " among its " +
                                             std::to_string(tensors_.size()) +
                                             " tensors; is this the file that goes with the configuration?");
  return found->second;
}

}  // namespace lyaplock
