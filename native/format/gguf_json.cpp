#include <charconv>
#include <cmath>

#include "format/gguf.h"
#include "format/gguf_cursor.h"
#include "format/json.h"

namespace lyaplock {

namespace {

template <class T>
void append_number(std::string& json, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      json += "null";
      return;
    }
  }
  // The shortest text that reads as the same number of its type.
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  json.append(text, end);
}

/// Values were checked when the file was opened, so that the cursor meets nothing unexpected.
void append_value(std::string& json, GgufType type, GgufCursor& cursor) {
  const std::string what = "the metadata";
  switch (type) {
    case GgufType::uint8: return append_number(json, +cursor.number<std::uint8_t>(what));
    case GgufType::int8: return append_number(json, +cursor.number<std::int8_t>(what));
    case GgufType::uint16: return append_number(json, cursor.number<std::uint16_t>(what));
    case GgufType::int16: return append_number(json, cursor.number<std::int16_t>(what));
    case GgufType::uint32: return append_number(json, cursor.number<std::uint32_t>(what));
    case GgufType::int32: return append_number(json, cursor.number<std::int32_t>(what));
    case GgufType::float32: return append_number(json, cursor.number<float>(what));
    case GgufType::uint64: return append_number(json, cursor.number<std::uint64_t>(what));
    case GgufType::int64: return append_number(json, cursor.number<std::int64_t>(what));
    case GgufType::float64: return append_number(json, cursor.number<double>(what));
    case GgufType::boolean: json += cursor.number<std::uint8_t>(what) != 0 ? "true" : "false"; return;
    case GgufType::string: json += json_string(cursor.string(what)); return;
    case GgufType::array: break;
  }
  const auto element = static_cast<GgufType>(cursor.number<std::uint32_t>(what));
  const auto count = cursor.number<std::uint64_t>(what);
  json += '[';
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0) json += ',';
    append_value(json, element, cursor);
  }
  json += ']';
}

void append_tensor(std::string& json, const TensorInfo& tensor) {
  json += R"({"type":)" + json_string(name_of(tensor.type)) + R"(,"shape":[)";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i > 0) json += ',';
    append_number(json, tensor.shape[i]);
  }
  json += "]}";
}

/// {"key": value, ...}; append(value) writes each.
template <class Map, class Append>
void append_object(std::string& json, const Map& map, const Append& append) {
  json += '{';
  for (const auto& [key, value] : map) {
    if (json.back() != '{') json += ',';
    json += json_string(key) + ':';
    append(value);
  }
  json += '}';
}

}  // namespace

std::string header_json(const GgufFile& file) {
  std::string json = R"({"metadata":)";
  append_object(json, file.metadata(), [&](const GgufValue& value) {
    GgufCursor cursor(value.bytes, file.path());
    append_value(json, value.type, cursor);
  });
  json += R"(,"tensors":)";
  append_object(json, file.tensors(), [&](const TensorInfo& tensor) { append_tensor(json, tensor); });
  return json + '}';
}

}  // namespace lyaplock
