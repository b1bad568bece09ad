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
    transpose<T>({stored.data(), shape.at(0), shape.at(1)}, {out.data(), shape.at(1), shape.at(0)});
  else
    std::copy(stored.begin(), stored.end(), out.begin());
}

bool keeps_order(const CheckpointTensor& tensor, bool transposed) {
  return tensor.arrangement.transposed == transposed && tensor.arrangement.interleaved_heads == 0;
}

/// Elements that are worth a thread's waking.
constexpr std::size_t kGrain = 1 << 16;

std::size_t grain_of_rows(std::size_t cols) { return std::max<std::size_t>(1, kGrain / cols); }

/// Rows [begin, end) of a matrix. Each is stored whole.
TensorInfo rows_of(const TensorInfo& matrix, std::size_t begin, std::size_t end) {
  const std::size_t row_bytes = matrix.bytes.size() / matrix.shape[0];
  return {
      matrix.type, {end - begin, matrix.shape[1]}, matrix.bytes.subspan(begin * row_bytes, (end - begin) * row_bytes)};
}

/// A tensor as it is stored.
void read_rows(const TensorInfo& stored, std::span<float> out, ThreadPool& pool) {
  if (stored.shape.size() != 2 || out.empty() || stored.elements() != out.size()) return read_floats(stored, out);
  const std::size_t rows = stored.shape[0], cols = stored.shape[1];
  pool.parallel_for(rows, grain_of_rows(cols), [&](std::size_t begin, std::size_t end) {
    read_floats(rows_of(stored, begin, end), out.subspan(begin * cols, (end - begin) * cols));
  });
}

/// The transpose of a matrix. Of a few rows at a time, so that no thread needs the memory of them all.
void read_columns(const TensorInfo& stored, std::span<float> out, ThreadPool& pool) {
  constexpr std::size_t kRows = 32;
  if (stored.shape.size() != 2 || stored.elements() != out.size())
    throw Error(ErrorCode::internal, "read_columns: the tensor is no matrix of so many elements; please report this");
  if (out.empty()) return;
  const std::size_t rows = stored.shape[0], cols = stored.shape[1];
  const MatrixView<float> whole(out.data(), cols, rows);
  pool.parallel_for(rows, grain_of_rows(cols), [&](std::size_t begin, std::size_t end) {
    std::vector<float> some(std::min(kRows, end - begin) * cols);
    for (std::size_t first = begin; first < end; first += kRows) {
      const std::size_t count = std::min(kRows, end - first);
      read_floats(rows_of(stored, first, first + count), std::span(some).first(count * cols));
      transpose<float>({some.data(), count, cols}, whole.column_range(first, count));
    }
  });
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

void read_values(const CheckpointTensor& tensor, bool transposed, std::span<float> out, ThreadPool& pool) {
  if (keeps_order(tensor, transposed)) return read_rows(tensor.stored, out, pool);
  if (tensor.arrangement.interleaved_heads == 0) return read_columns(tensor.stored, out, pool);
  std::vector<float> values(out.size());
  read_rows(tensor.stored, values, pool);
  arrange<float>(tensor, transposed, values, out);
}

void read_values(const CheckpointTensor& tensor, bool transposed, std::span<Bfloat16> out, ThreadPool& pool) {
  std::vector<float> values(out.size());
  read_values(tensor, transposed, std::span(values), pool);
  pool.parallel_for(out.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) out[i] = Bfloat16{float32_to_bfloat16(values[i])};
  });
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
    ThreadPool alone(1);
    read_values(tensor, false, values, alone);
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
