// A tensor as a file holds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lyaplock {

/// Safetensors files hold the types up to `boolean`, GGUF files all but that. The last ones are quantised: numbers are
/// stored in blocks that share scales (format/quantised_blocks.h).
enum class DataType {
  float64,
  float32,
  float16,
  bfloat16,
  int64,
  int32,
  int16,
  int8,
  uint8,
  boolean,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q4_k,
  q5_k,
  q6_k
};

/// The least that can be read by itself: one element, or a block of a quantised type.
struct StorageUnit {
  std::size_t elements;
  std::size_t bytes;
};
StorageUnit unit_of(DataType type);
inline bool is_quantised(DataType type) { return unit_of(type).elements > 1; }

/// The name in a file: "F32", "BF16", "Q4_1", ...
std::string name_of(DataType type);

/// Bytes that type and shape ask for. Nothing where they exceed 64 bits, or where the last dimension is not a whole
/// number of blocks.
std::optional<std::uint64_t> byte_count(DataType type, const std::vector<std::uint64_t>& shape);

struct TensorInfo {
  DataType type;
  std::vector<std::size_t> shape;    // [] is a scalar; the last dimension is contiguous
  std::span<const std::byte> bytes;  // inside the mapping
  [[nodiscard]] std::size_t elements() const {
    const StorageUnit unit = unit_of(type);
    return bytes.size() / unit.bytes * unit.elements;
  }
};

/// Converts a floating-point or quantised tensor to float32 or float64 (F64 to float32 rounds), on the host. `out` has
/// one element for each of the tensor's. ErrorCode::model_format for integer types.
void read_floats(const TensorInfo& tensor, std::span<float> out);
void read_floats(const TensorInfo& tensor, std::span<double> out);

/// The bytes of a tensor of that type, rounded to nearest, ties to even; what is too large for it becomes infinity.
/// ErrorCode::invalid_argument for integer and quantised types.
std::vector<std::byte> floats_as(DataType type, std::span<const float> values);

}  // namespace lyaplock
