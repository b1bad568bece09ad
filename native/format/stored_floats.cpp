// Float32 numbers as the bytes of a tensor.
#include <cstring>

#include "base/error.h"
#include "format/half.h"
#include "format/safetensors.h"

namespace lyaplock {

namespace {

template <class Stored, class Convert>
std::vector<std::byte> convert(std::span<const float> values, const Convert& convert_one) {
  std::vector<std::byte> bytes(values.size() * sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Stored stored = convert_one(values[i]);
    std::memcpy(bytes.data() + i * sizeof(Stored), &stored, sizeof(Stored));
  }
  return bytes;
}

}  // namespace

std::vector<std::byte> floats_as(DataType type, std::span<const float> values) {
  switch (type) {
    case DataType::float64: return convert<double>(values, [](float x) { return static_cast<double>(x); });
    case DataType::float32: return convert<float>(values, [](float x) { return x; });
    case DataType::float16: return convert<std::uint16_t>(values, float32_to_float16);
    case DataType::bfloat16: return convert<std::uint16_t>(values, float32_to_bfloat16);
    default:
      throw Error(ErrorCode::invalid_argument,
                  "Floating-point numbers cannot be stored as " + name_of(type) + "; give F32, F16 or BF16");
  }
}

}  // namespace lyaplock
