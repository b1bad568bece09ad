// The GGUF file format of llama.cpp: metadata with types, infos of the tensors, and the tensors' bytes.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "format/gguf_header.h"
#include "format/mapped_file.h"
#include "format/tensor.h"

namespace lyaplock {

/// A file mapped for reading, of version 2 or 3. Everything in its header is a claim, checked against the size of the
/// file before it is believed: counts, lengths, strings (UTF-8), dimensions and their product, every tensor's place (at
/// a multiple of the alignment, in the file, as long as type and shape say, none overlapping), names (once each).
/// Shapes are in the order in which others write them, the contiguous dimension last: ggml's order reversed.
///
/// Throws ErrorCode::file if the file cannot be opened or mapped, ErrorCode::model_format for anything wrong in it; the
/// message names the file, the tensor and both numbers.
class GgufFile {
 public:
  static std::shared_ptr<const GgufFile> open(const std::string& path);
  /// Whether the file begins as one of these does. ErrorCode::file if it cannot be opened.
  static bool recognises(const std::string& path);

  [[nodiscard]] const std::string& path() const { return mapping_.path(); }
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  /// The tensor of that name; ErrorCode::model_format if there is none.
  [[nodiscard]] const TensorInfo& tensor(const std::string& name) const;
  [[nodiscard]] const GgufMetadata& metadata() const { return metadata_; }
  /// "general.architecture": "llama", "gpt2", ... ErrorCode::model_format if there is none.
  [[nodiscard]] std::string architecture() const;

 private:
  explicit GgufFile(const std::string& path);

  MappedFile mapping_;
  GgufMetadata metadata_;
  std::map<std::string, TensorInfo> tensors_;
};

/// The metadata and each tensor's type and shape, as JSON: {"metadata": {"general.architecture": "llama", ...},
/// "tensors": {"token_embd.weight": {"type": "Q4_1", "shape": [49152, 576]}, ...}}. Infinity and NaN, which JSON does
/// not have, are null.
std::string header_json(const GgufFile& file);

}  // namespace lyaplock
