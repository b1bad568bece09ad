// What stands before the tensors of a GGUF file, parsed. Where tensors are said to lie is not yet held against the
// file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lyaplock {

/// The most that metadata and tensor infos may take. A vocabulary of 262,144 tokens with its merges takes 15 MB.
inline constexpr std::size_t max_gguf_header_bytes = 100'000'000;
/// ggml's own limit.
inline constexpr std::size_t max_gguf_dimensions = 4;

/// The numbers by which a file names the types of its metadata.
enum class GgufType : std::uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12
};

/// A value as it lies in the file, checked: a number of its type's width; a string's length and UTF-8; an array's type,
/// count and elements.
struct GgufValue {
  GgufType type;
  std::span<const std::byte> bytes;  // inside the mapping
};

/// Metadata by key, in the order of the alphabet.
using GgufMetadata = std::map<std::string, GgufValue, std::less<>>;

/// One tensor of the header. The offset counts from the first byte of tensor data.
struct GgufTensorClaim {
  std::string name;
  std::uint32_t type;                // ggml's number
  std::vector<std::uint64_t> shape;  // the last dimension is contiguous: ggml's order reversed
  std::uint64_t offset;
};

struct GgufHeader {
  GgufMetadata metadata;
  std::vector<GgufTensorClaim> tensors;  // names are distinct, in the order of the file
  std::size_t bytes;                     // from the beginning of the file; padding follows
};

/// Parses a whole file's beginning: "GGUF", version 2 or 3 (little-endian), metadata, tensor infos. Counts are held
/// against the bytes there are before anything is read or allocated for them. Throws ErrorCode::model_format; the
/// message says what was wrong at which byte, and names `path`.
GgufHeader parse_gguf_header(std::span<const std::byte> file, const std::string& path);

/// A number 0 ... 2^64 - 1 of any integer type; nothing for what is none.
std::optional<std::uint64_t> gguf_count(const GgufValue& value);
/// The text of a string; nothing for what is none.
std::optional<std::string_view> gguf_string(const GgufValue& value);

}  // namespace lyaplock
