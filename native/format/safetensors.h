// The safetensors file format: eight bytes of header length (little-endian), a JSON header, then the tensors' bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lyaplock {

enum class DataType { float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, boolean };

/// Bytes of one element.
std::size_t width_of(DataType type);
/// The name in the file: "F32", "BF16", ...
std::string name_of(DataType type);

struct TensorInfo {
  DataType type;
  std::vector<std::size_t> shape;    // [] is a scalar
  std::span<const std::byte> bytes;  // inside the mapping
  [[nodiscard]] std::size_t elements() const { return bytes.size() / width_of(type); }
};

/// A file mapped for reading. Everything in its header is a claim, checked against the size of the file before it is
/// believed: the header's length (at most 100 MB), every byte range (in the file, as long as shape and type say, none
/// overlapping), names (once each). Pages are read from disk when touched.
///
/// Throws ErrorCode::file if the file cannot be opened or mapped, ErrorCode::model_format for anything wrong in it; the
/// message names the file, the tensor and both numbers.
class SafetensorsFile {
 public:
  static std::shared_ptr<const SafetensorsFile> open(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The tensor of that name; ErrorCode::model_format if there is none.
  [[nodiscard]] const TensorInfo& tensor(const std::string& name) const;

 private:
  SafetensorsFile(std::string path, std::span<const std::byte> mapping);

  std::string path_;
  std::span<const std::byte> mapping_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Converts a floating-point tensor to float32 or float64 (F64 to float32 rounds), on the host. `out` has one element
/// for each of the tensor's. ErrorCode::model_format for integer types.
void read_floats(const TensorInfo& tensor, std::span<float> out);
void read_floats(const TensorInfo& tensor, std::span<double> out);

/// The bytes of a tensor of that type, rounded to nearest, ties to even; what is too large for it becomes infinity.
/// ErrorCode::invalid_argument for integer types.
std::vector<std::byte> floats_as(DataType type, std::span<const float> values);

/// One tensor to write; `bytes` is host memory and outlives the call.
struct TensorToWrite {
  std::string name;
  DataType type;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;
};

/// Writes a whole file: beside its place first (`path` + a temporary suffix), flushed to disk, then renamed over it. On
/// failure (ErrorCode::file: a full disk, no such folder, no permission) nothing is left at either name that was not
/// there before. Tensor data is aligned to 8 bytes, tensors keep the given order, metadata is written sorted.
void write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace lyaplock
