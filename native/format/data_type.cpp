#include "format/data_type.h"

#include <array>

#include "base/error.h"

namespace lyaplock {

namespace {

struct DataTypeEntry {
  DataType type;
  std::string_view name;
  std::size_t width;
};

constexpr std::array entries = {
    DataTypeEntry{DataType::float64, "F64", 8}, DataTypeEntry{DataType::float32, "F32", 4},
    DataTypeEntry{DataType::float16, "F16", 2}, DataTypeEntry{DataType::bfloat16, "BF16", 2},
    DataTypeEntry{DataType::int64, "I64", 8},   DataTypeEntry{DataType::int32, "I32", 4},
    DataTypeEntry{DataType::int16, "I16", 2},   DataTypeEntry{DataType::int8, "I8", 1},
    DataTypeEntry{DataType::uint8, "U8", 1},    DataTypeEntry{DataType::boolean, "BOOL", 1},
};

const DataTypeEntry& entry_of(DataType type) {
  for (const DataTypeEntry& entry : entries)
    if (entry.type == type) return entry;
  throw Error(ErrorCode::internal, "A data type is missing from its table; please report this");
}

}  // namespace

std::size_t width_of(DataType type) { return entry_of(type).width; }

std::string name_of(DataType type) { return std::string(entry_of(type).name); }

std::optional<DataType> data_type_named(std::string_view name) {
  for (const DataTypeEntry& entry : entries)
    if (entry.name == name) return entry.type;
  return std::nullopt;
}

}  // namespace lyaplock
