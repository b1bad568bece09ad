#include "model/checkpoint.h"

#include <cstdint>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "model/gguf_names.h"
#include "model/transpose.h"

namespace lyaplock {

namespace {

CheckpointFile safetensors_checkpoint(const std::string& path) {
  const auto file = SafetensorsFile::open(path);
  CheckpointFile checkpoint{path, std::filesystem::path(path).filename().string(), file, {}, file->metadata()};
  for (const auto& [name, tensor] : file->tensors())
    checkpoint.tensors.emplace(name, CheckpointTensor{tensor, {}, tensor.shape});
  return checkpoint;
}

/// How a GGUF file of that architecture stores a weight of the given name in the family's own checkpoints.
Arrangement arrangement_of(const std::string& architecture, const ModelDescription& description, const Family& family,
                           std::string_view gguf_name) {
  const bool is_matrix_of_block = gguf_name.starts_with("blk.") && gguf_name.ends_with(".weight");
  const auto names = [&](std::string_view weight) { return gguf_name.find(weight) != std::string_view::npos; };
  Arrangement arrangement;
  // Every linear map is [out, in] in a GGUF file.
  arrangement.transposed = family.transposed && is_matrix_of_block && !names("_norm.");
  if (architecture == "llama") {
    if (names(".attn_q.")) arrangement.interleaved_heads = description.heads;
    if (names(".attn_k.")) arrangement.interleaved_heads = description.key_value_heads;
  }
  return arrangement;
}

CheckpointFile gguf_checkpoint(const std::string& path, const ModelDescription& description, const Family& family) {
  const auto file = GgufFile::open(path);
  const std::string architecture = file->architecture();
  // What transformers looks for in a safetensors file.
  CheckpointFile checkpoint{path, "model.safetensors", file, {}, {{"format", "pt"}}};
  for (const auto& [gguf_name, tensor] : file->tensors()) {
    const auto name = checkpoint_name(family, gguf_name);
    if (!name) continue;
    CheckpointTensor found{tensor, arrangement_of(architecture, description, family, gguf_name), tensor.shape};
    if (found.arrangement.transposed) {
      if (tensor.shape.size() != 2)
        throw Error(ErrorCode::model_format, path + ": tensor \"" + gguf_name + "\" has " +
                                                 std::to_string(tensor.shape.size()) + " dimensions; a weight has 2");
      std::reverse(found.shape.begin(), found.shape.end());
    }
    const std::size_t heads = found.arrangement.interleaved_heads;
    if (heads != 0 && (tensor.shape.empty() || tensor.shape[0] % (2 * heads) != 0))
      throw Error(ErrorCode::model_format, path + ": tensor \"" + gguf_name + "\" does not consist of " +
                                               std::to_string(heads) + " heads of an even width");
    checkpoint.tensors.emplace(*name, std::move(found));
  }
  return checkpoint;
}

/// Rows as the families have them, out of heads whose halves alternate.
template <class T>
void separate_halves(std::span<const T> source, std::size_t rows, std::size_t heads, std::span<T> out) {
  const std::size_t cols = source.size() / rows, head_rows = rows / heads, half = head_rows / 2;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t first_of_head = row / head_rows * head_rows, in_head = row % head_rows;
    const std::size_t from = first_of_head + 2 * (in_head % half) + in_head / half;
    std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(from * cols), cols,
                out.begin() + static_cast<std::ptrdiff_t>(row * cols));
  }
}

/// Numbers as they are stored, brought into the order of the shape or, `transposed`, of its reverse.
template <class T>
void arrange(const CheckpointTensor& tensor, bool transposed, std::span<const T> stored, std::span<T> out) {
  const std::vector<std::size_t>& shape = tensor.stored.shape;
  if (tensor.arrangement.interleaved_heads != 0 && !stored.empty())
    separate_halves(stored, shape[0], tensor.arrangement.interleaved_heads, out);
  else if (tensor.arrangement.transposed != transposed)
    transpose<T>(stored, shape.at(0), shape.at(1), out);
  else
    std::copy(stored.begin(), stored.end(), out.begin());
}

bool keeps_order(const CheckpointTensor& tensor, bool transposed) {
  return tensor.arrangement.transposed == transposed && tensor.arrangement.interleaved_heads == 0;
}

/// The bytes in the order of the shape, by elements of T's width.
template <class T>
std::vector<std::byte> arranged_bytes(const CheckpointTensor& tensor) {
  std::vector<T> stored(tensor.stored.elements()), out(stored.size());
  std::memcpy(stored.data(), tensor.stored.bytes.data(), tensor.stored.bytes.size());
  arrange<T>(tensor, false, stored, out);
  const auto bytes = std::as_bytes(std::span(out));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::vector<CheckpointFile> open_checkpoint(const std::vector<std::string>& paths, const ModelDescription& description,
                                            const Family& family) {
  std::vector<CheckpointFile> files;
  for (const std::string& path : paths)
    files.push_back(GgufFile::recognises(path) ? gguf_checkpoint(path, description, family)
                                               : safetensors_checkpoint(path));
  return files;
}

bool lies_ready(const CheckpointTensor& tensor, DataType type, bool transposed) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(tensor.stored.bytes.data()) % unit_of(type).bytes == 0;
  return tensor.stored.type == type && aligned && keeps_order(tensor, transposed);
}

void read_values(const CheckpointTensor& tensor, bool transposed, std::span<float> out) {
  if (keeps_order(tensor, transposed)) return read_floats(tensor.stored, out);
  std::vector<float> stored(out.size());
  read_floats(tensor.stored, std::span(stored));
  arrange<float>(tensor, transposed, stored, out);
}

void read_values(const CheckpointTensor& tensor, bool transposed, std::span<Bfloat16> out) {
  std::vector<float> values(out.size());
  read_values(tensor, transposed, std::span(values));
  std::transform(values.begin(), values.end(), out.begin(), [](float x) { return Bfloat16{float32_to_bfloat16(x)}; });
}

bool keeps_bytes(const CheckpointTensor& tensor) {
  return !is_quantised(tensor.stored.type) && keeps_order(tensor, false);
}

DataType type_when_saved(const CheckpointTensor& tensor) {
  return is_quantised(tensor.stored.type) ? DataType::float32 : tensor.stored.type;
}

std::vector<std::byte> bytes_when_saved(const CheckpointTensor& tensor) {
  if (tensor.stored.bytes.empty()) return {};
  if (is_quantised(tensor.stored.type)) {
    std::vector<float> values(tensor.stored.elements());
    read_values(tensor, false, values);
    const auto bytes = std::as_bytes(std::span(values));
    return {bytes.begin(), bytes.end()};
  }
  switch (unit_of(tensor.stored.type).bytes) {
    case 1: return arranged_bytes<std::uint8_t>(tensor);
    case 2: return arranged_bytes<std::uint16_t>(tensor);
    case 4: return arranged_bytes<std::uint32_t>(tensor);
    default: return arranged_bytes<std::uint64_t>(tensor);
  }
}

}  // namespace lyaplock
