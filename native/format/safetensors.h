// The safetensors file format: eight bytes of header length (little-endian), a JSON header, then the tensors' bytes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "format/mapped_file.h"
#include "format/tensor.h"

namespace lyaplock {

/// A file mapped for reading. Everything in its header is a claim, checked against the size of the file before it is
/// believed: the header's length (at most 100 MB), every byte range (in the file, as long as shape and type say, none
/// overlapping), names (once each). Pages are read from disk when touched.
///
/// Throws ErrorCode::file if the file cannot be opened or mapped, ErrorCode::model_format for anything wrong in it; the
/// message names the file, the tensor and both numbers.
class SafetensorsFile {
 public:
  static std::shared_ptr<const SafetensorsFile> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return mapping_.path(); }
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The tensor of that name; ErrorCode::model_format if there is none.
  [[nodiscard]] const TensorInfo& tensor(const std::string& name) const;

 private:
  explicit SafetensorsFile(const std::string& path);

  MappedFile mapping_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// One tensor to write, of no quantised type; `bytes` is host memory and outlives the call.
struct TensorToWrite {
  std::string name;
  DataType type;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes = {};
  /// In place of `bytes`: makes them when it is their turn, so that a file can be written that memory would not hold.
  std::function<std::vector<std::byte>()> make_bytes = {};
};

/// Writes a whole file: beside its place first (`path` + a temporary suffix), flushed to disk, then renamed over it. On
/// failure (ErrorCode::file: a full disk, no such folder, no permission) nothing is left at either name that was not
/// there before. Tensor data is aligned to 8 bytes, tensors keep the given order, metadata is written sorted.
void write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace lyaplock
