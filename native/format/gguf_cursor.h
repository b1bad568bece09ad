// Reading a GGUF header from front to back.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "format/gguf_header.h"

namespace lyaplock {

/// Bytes of one value; 0 for strings and arrays, whose lengths vary.
constexpr std::size_t width_of(GgufType type) {
  switch (type) {
    case GgufType::uint8:
    case GgufType::int8:
    case GgufType::boolean: return 1;
    case GgufType::uint16:
    case GgufType::int16: return 2;
    case GgufType::uint32:
    case GgufType::int32:
    case GgufType::float32: return 4;
    case GgufType::uint64:
    case GgufType::int64:
    case GgufType::float64: return 8;
    default: return 0;
  }
}

/// Fewer bytes than this no value of the type has: what a count of them can be held against.
constexpr std::size_t least_width_of(GgufType type) {
  if (type == GgufType::string) return 8;
  return type == GgufType::array ? 12 : width_of(type);
}

/// A place in bytes that is never left: what would end behind the last byte is ErrorCode::model_format.
class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
  [[nodiscard]] std::span<const std::byte> since(std::size_t begin) const { return bytes_.subspan(begin, at_ - begin); }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::model_format,
                path_ + ": " + what + ", at byte " + std::to_string(at_) + "; the file is damaged or not a GGUF file");
  }

  std::span<const std::byte> take(std::uint64_t count, const std::string& what) {
    if (count > left())
      fail(what + " takes " + std::to_string(count) + " bytes, and " + std::to_string(left()) + " are left");
    at_ += static_cast<std::size_t>(count);
    return bytes_.subspan(at_ - static_cast<std::size_t>(count), static_cast<std::size_t>(count));
  }

  template <class T>
  T number(const std::string& what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string_view string(const std::string& what) {
    const auto bytes = take(number<std::uint64_t>(what), what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// A count of things of at least so many bytes each.
  std::uint64_t count(std::size_t least_bytes, const std::string& what) {
    const auto value = number<std::uint64_t>("the number of " + what);
    if (value > left() / least_bytes)
      fail("the file claims " + std::to_string(value) + " " + what + "; the " + std::to_string(left()) +
           " bytes that are left hold at most " + std::to_string(left() / least_bytes));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& path_;
  std::size_t at_ = 0;
};

}  // namespace lyaplock
