// GGUF files for tests, byte by byte: sound ones, and any that are not.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "format/gguf_header.h"

namespace lyaplock::test {

/// The bytes of a number.
template <class T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::string raw_string(const std::string& text) { return raw<std::uint64_t>(text.size()) + text; }
inline std::string raw_type(GgufType type) { return raw(static_cast<std::uint32_t>(type)); }

/// A key, the type and the bytes of its value.
inline std::string entry(const std::string& key, GgufType type, const std::string& value) {
  return raw_string(key) + raw_type(type) + value;
}

inline std::string array(GgufType type, std::uint64_t count, const std::string& elements) {
  return raw_type(type) + raw(count) + elements;
}

/// What an info of a tensor claims. Dimensions are in ggml's order.
struct TensorInfoBytes {
  std::string name;
  std::vector<std::uint64_t> dimensions;
  std::uint32_t type;
  std::uint64_t offset;
};

inline std::string info(const TensorInfoBytes& tensor) {
  std::string bytes = raw_string(tensor.name) + raw(static_cast<std::uint32_t>(tensor.dimensions.size()));
  for (const std::uint64_t size : tensor.dimensions) bytes += raw(size);
  return bytes + raw(tensor.type) + raw(tensor.offset);
}

struct GgufBytes {
  std::vector<std::string> entries;
  std::vector<TensorInfoBytes> tensors;
  std::size_t data_bytes = 0;
  std::uint32_t version = 3;
  std::size_t alignment = 32;

  [[nodiscard]] std::string header() const {
    std::string bytes = "GGUF" + raw(version) + raw<std::uint64_t>(tensors.size()) + raw<std::uint64_t>(entries.size());
    for (const std::string& one : entries) bytes += one;
    for (const TensorInfoBytes& tensor : tensors) bytes += info(tensor);
    return bytes;
  }
  [[nodiscard]] std::string file() const {
    std::string bytes = header();
    bytes.append((alignment - bytes.size() % alignment) % alignment, '\0');
    return bytes + std::string(data_bytes, '\1');
  }
};

}  // namespace lyaplock::test
