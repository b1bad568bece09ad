// Tensors of floating-point numbers as float32 or float64.
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "format/quantised_blocks.h"
#include "format/tensor.h"

namespace lyaplock {

namespace {

/// Converts `stored` by `stored`: tensors of other programs' files may lie at odd addresses.
template <class Stored, class T, class Convert>
void convert(std::span<const std::byte> bytes, std::span<T> out, const Convert& convert_one) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = static_cast<T>(convert_one(stored));
  }
}

template <class T>
void read(const TensorInfo& tensor, std::span<T> out) {
  if (out.size() != tensor.elements())
    throw Error(ErrorCode::internal, "read_floats: a tensor of " + std::to_string(tensor.elements()) +
                                         " elements does not fit " + std::to_string(out.size()) +
                                         "; please report this");
  const auto same = [](auto x) { return x; };
  if (is_quantised(tensor.type)) return read_blocks(tensor.type, tensor.bytes, out);
  switch (tensor.type) {
    case DataType::float64: return convert<double>(tensor.bytes, out, same);
    case DataType::float32: return convert<float>(tensor.bytes, out, same);
    case DataType::float16: return convert<std::uint16_t>(tensor.bytes, out, float16_to_float32);
    case DataType::bfloat16: return convert<std::uint16_t>(tensor.bytes, out, bfloat16_to_float32);
    default:
      throw Error(ErrorCode::model_format,
                  "A tensor of type " + name_of(tensor.type) + " stands where floating-point numbers are due");
  }
}

}  // namespace

void read_floats(const TensorInfo& tensor, std::span<float> out) { read(tensor, out); }
void read_floats(const TensorInfo& tensor, std::span<double> out) { read(tensor, out); }

}  // namespace lyaplock
