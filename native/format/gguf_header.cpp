#include "format/gguf_header.h"

#include <algorithm>
#include <bit>
#include <set>

#include "format/gguf_cursor.h"
#include "format/utf8.h"

namespace lyaplock {

// Multi-byte values in the file are little-endian and are read as they lie.
static_assert(std::endian::native == std::endian::little);

namespace {

/// Arrays of arrays are allowed; nothing uses even two levels.
constexpr int max_array_depth = 4;
/// Key (a length and its text), type, and a value of one byte.
constexpr std::size_t least_entry_bytes = 8 + 4 + 1;
/// Name, count of dimensions, type, offset.
constexpr std::size_t least_tensor_bytes = 8 + 4 + 4 + 8;

class Parser {
 public:
  Parser(std::span<const std::byte> file, const std::string& path)
      : cursor_(file.first(std::min(file.size(), max_gguf_header_bytes)), path) {}

  GgufHeader header() {
    GgufHeader header{};
    magic();
    const auto tensors = cursor_.number<std::uint64_t>("the number of tensors");
    const std::uint64_t entries = cursor_.count(least_entry_bytes, "metadata entries");
    for (std::uint64_t i = 0; i < entries; ++i) entry(header.metadata);
    if (tensors > cursor_.left() / least_tensor_bytes)
      cursor_.fail("the file claims " + std::to_string(tensors) + " tensors; the " + std::to_string(cursor_.left()) +
                   " bytes that are left describe at most " + std::to_string(cursor_.left() / least_tensor_bytes));
    std::set<std::string, std::less<>> names;
    for (std::uint64_t i = 0; i < tensors; ++i) {
      header.tensors.push_back(tensor());
      if (!names.insert(header.tensors.back().name).second)
        cursor_.fail("tensor \"" + header.tensors.back().name + "\" stands in the header twice");
    }
    header.bytes = cursor_.at();
    return header;
  }

 private:
  void magic() {
    const auto magic = cursor_.take(4, "the file's magic number");
    if (std::memcmp(magic.data(), "GGUF", 4) != 0) cursor_.fail("the file does not begin with \"GGUF\"");
    const auto version = cursor_.number<std::uint32_t>("the version");
    if (version == 2 || version == 3) return;
    const bool big_endian = version != 0 && (version & 0xffffU) == 0;
    cursor_.fail(big_endian ? "the file is big-endian, which is not read"
                            : "the file is of version " + std::to_string(version) + "; versions 2 and 3 are read");
  }

  std::string text(const std::string& what) {
    const std::string_view text = cursor_.string(what);
    if (!is_utf8(text)) cursor_.fail(what + " is not UTF-8");
    return std::string(text);
  }

  void entry(GgufMetadata& metadata) {
    std::string key = text("a metadata key");
    const std::string what = "the metadata \"" + key + "\"";
    const GgufType type = value_type(what);
    const std::size_t begin = cursor_.at();
    value(type, what, 0);
    if (!metadata.emplace(std::move(key), GgufValue{type, cursor_.since(begin)}).second)
      cursor_.fail(what + " stands in the header twice");
  }

  GgufType value_type(const std::string& what) {
    const auto type = cursor_.number<std::uint32_t>(what);
    if (type > static_cast<std::uint32_t>(GgufType::float64))
      cursor_.fail(what + " is of type " + std::to_string(type) + ", which there is not");
    return static_cast<GgufType>(type);
  }

  /// Goes over a value, and sees that it is whole.
  void value(GgufType type, const std::string& what, int depth) {
    if (type == GgufType::string) {
      if (!is_utf8(cursor_.string(what))) cursor_.fail(what + " is not UTF-8");
    } else if (type == GgufType::array) {
      array(what, depth);
    } else {
      cursor_.take(width_of(type), what);
    }
  }

  void array(const std::string& what, int depth) {
    if (depth == max_array_depth) cursor_.fail(what + " has arrays in arrays, too many");
    const GgufType type = value_type(what);
    const std::uint64_t count = cursor_.count(least_width_of(type), "elements of " + what);
    if (const std::size_t width = width_of(type); width != 0) {
      cursor_.take(count * width, what);
    } else {
      for (std::uint64_t i = 0; i < count; ++i) value(type, what, depth + 1);
    }
  }

  GgufTensorClaim tensor() {
    GgufTensorClaim claim{text("a tensor's name"), 0, {}, 0};
    const std::string what = "tensor \"" + claim.name + "\"";
    const auto dimensions = cursor_.number<std::uint32_t>(what);
    if (dimensions > max_gguf_dimensions)
      cursor_.fail(what + " has " + std::to_string(dimensions) + " dimensions; at most " +
                   std::to_string(max_gguf_dimensions) + " are allowed");
    for (std::uint32_t i = 0; i < dimensions; ++i)
      claim.shape.insert(claim.shape.begin(), cursor_.number<std::uint64_t>(what));
    claim.type = cursor_.number<std::uint32_t>(what);
    claim.offset = cursor_.number<std::uint64_t>(what);
    return claim;
  }

  GgufCursor cursor_;
};

template <class T>
std::optional<std::uint64_t> count_in(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  if (value < T{0}) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

}  // namespace

GgufHeader parse_gguf_header(std::span<const std::byte> file, const std::string& path) {
  return Parser(file, path).header();
}

std::optional<std::uint64_t> gguf_count(const GgufValue& value) {
  switch (value.type) {
    case GgufType::uint8: return count_in<std::uint8_t>(value.bytes);
    case GgufType::int8: return count_in<std::int8_t>(value.bytes);
    case GgufType::uint16: return count_in<std::uint16_t>(value.bytes);
    case GgufType::int16: return count_in<std::int16_t>(value.bytes);
    case GgufType::uint32: return count_in<std::uint32_t>(value.bytes);
    case GgufType::int32: return count_in<std::int32_t>(value.bytes);
    case GgufType::uint64: return count_in<std::uint64_t>(value.bytes);
    case GgufType::int64: return count_in<std::int64_t>(value.bytes);
    default: return std::nullopt;
  }
}

std::optional<std::string_view> gguf_string(const GgufValue& value) {
  if (value.type != GgufType::string) return std::nullopt;
  const auto text = value.bytes.subspan(sizeof(std::uint64_t));
  return std::string_view(reinterpret_cast<const char*>(text.data()), text.size());
}

}  // namespace lyaplock
