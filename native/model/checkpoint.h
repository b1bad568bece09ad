// The tensors of a model's checkpoint, whatever its files are.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/half.h"
#include "base/thread_pool.h"
#include "format/tensor.h"
#include "model/description.h"
#include "model/family.h"

namespace lyaplock {

/// How the numbers of a tensor lie in a file that does not store them as the family's own checkpoints do.
struct Arrangement {
  bool transposed = false;  // [cols, rows]
  /// Of so many heads, each one's rows alternate between its first half and its second, where the family's have one
  /// half after the other: GGUF files of the architecture "llama" store queries and keys for rotary angles that turn
  /// neighbours. 0 leaves the rows alone. (Not together with `transposed`.)
  std::size_t interleaved_heads = 0;
};

/// A tensor with the shape that the family's own checkpoints give it, in safetensors files as transformers writes them.
struct CheckpointTensor {
  TensorInfo stored;  // its shape is that of the family, but for `arrangement`
  Arrangement arrangement;
  std::vector<std::size_t> shape;  // of one or two dimensions, if it is a weight
};

/// One file of a checkpoint.
struct CheckpointFile {
  std::string path;
  std::string name_when_saved;         // "model.safetensors"
  std::shared_ptr<const void> memory;  // keeps the tensors' bytes
  std::map<std::string, CheckpointTensor> tensors;
  std::map<std::string, std::string> metadata;  // of the file when saved
};

/// Opens the files of one checkpoint: safetensors, or one GGUF file, whose tensors come under the names of the family;
/// those that the family does not have are left out. ErrorCode::model_format, ErrorCode::file.
std::vector<CheckpointFile> open_checkpoint(const std::vector<std::string>& paths, const ModelDescription& description,
                                            const Family& family);

/// Whether `read_values` would only copy the bytes: of that type, aligned, in the order that is asked for.
bool lies_ready(const CheckpointTensor& tensor, DataType type, bool transposed);

/// The tensor as float32 or bfloat16, in the order of its shape or, `transposed`, of [shape[1], shape[0]]; a matrix by
/// all threads of the pool.
void read_values(const CheckpointTensor& tensor, bool transposed, std::span<float> out, ThreadPool& pool);
void read_values(const CheckpointTensor& tensor, bool transposed, std::span<Bfloat16> out, ThreadPool& pool);

/// Whether a tensor's bytes are in a safetensors file as they are here; otherwise `bytes_when_saved` makes them.
bool keeps_bytes(const CheckpointTensor& tensor);
/// The type that a tensor has in a safetensors file: float32 for one that is quantised.
DataType type_when_saved(const CheckpointTensor& tensor);
/// Its bytes there, in the order of its shape.
std::vector<std::byte> bytes_when_saved(const CheckpointTensor& tensor);

}  // namespace lyaplock
