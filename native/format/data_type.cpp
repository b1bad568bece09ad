#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "format/tensor.h"

namespace lyaplock {

namespace {

struct DataTypeEntry {
  DataType type;
  std::string_view name;
  StorageUnit unit;
};

constexpr std::array entries = {
    DataTypeEntry{DataType::float64, "F64", {1, 8}},   DataTypeEntry{DataType::float32, "F32", {1, 4}},
    DataTypeEntry{DataType::float16, "F16", {1, 2}},   DataTypeEntry{DataType::bfloat16, "BF16", {1, 2}},
    DataTypeEntry{DataType::int64, "I64", {1, 8}},     DataTypeEntry{DataType::int32, "I32", {1, 4}},
    DataTypeEntry{DataType::int16, "I16", {1, 2}},     DataTypeEntry{DataType::int8, "I8", {1, 1}},
    DataTypeEntry{DataType::uint8, "U8", {1, 1}},      DataTypeEntry{DataType::boolean, "BOOL", {1, 1}},
    DataTypeEntry{DataType::q4_0, "Q4_0", {32, 18}},   DataTypeEntry{DataType::q4_1, "Q4_1", {32, 20}},
    DataTypeEntry{DataType::q5_0, "Q5_0", {32, 22}},   DataTypeEntry{DataType::q5_1, "Q5_1", {32, 24}},
    DataTypeEntry{DataType::q8_0, "Q8_0", {32, 34}},   DataTypeEntry{DataType::q4_k, "Q4_K", {256, 144}},
    DataTypeEntry{DataType::q5_k, "Q5_K", {256, 176}}, DataTypeEntry{DataType::q6_k, "Q6_K", {256, 210}},
};

const DataTypeEntry& entry_of(DataType type) {
  for (const DataTypeEntry& entry : entries)
    if (entry.type == type) return entry;
  throw Error(ErrorCode::internal, "A data type is missing from its table; please report this");
}

/// The product, or nothing where it exceeds 64 bits.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
  return a * b;
}

}  // namespace

StorageUnit unit_of(DataType type) { return entry_of(type).unit; }

std::string name_of(DataType type) { return std::string(entry_of(type).name); }

std::optional<std::uint64_t> byte_count(DataType type, const std::vector<std::uint64_t>& shape) {
  const auto [elements, bytes] = unit_of(type);
  const std::uint64_t row = shape.empty() ? 1 : shape.back();
  if (row % elements != 0) return std::nullopt;
  // A zero makes the whole tensor empty, however large the other sizes are.
  if (std::find(shape.begin(), shape.end(), 0U) != shape.end()) return 0;
  std::optional<std::uint64_t> count = product(row / elements, bytes);
  for (std::size_t i = 0; count && i + 1 < shape.size(); ++i) count = product(*count, shape[i]);
  return count;
}

}  // namespace lyaplock
