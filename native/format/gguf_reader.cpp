#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "format/byte_ranges.h"
#include "format/gguf.h"

namespace lyaplock {

namespace {

/// A type of ggml.h, and ours for it where it is read.
struct GgmlType {
  std::uint32_t number;
  std::string_view name;
  std::optional<DataType> type;
};

constexpr std::array ggml_types = {
    GgmlType{0, "F32", DataType::float32},
    GgmlType{1, "F16", DataType::float16},
    GgmlType{2, "Q4_0", DataType::q4_0},
    GgmlType{3, "Q4_1", DataType::q4_1},
    GgmlType{6, "Q5_0", DataType::q5_0},
    GgmlType{7, "Q5_1", DataType::q5_1},
    GgmlType{8, "Q8_0", DataType::q8_0},
    GgmlType{9, "Q8_1", {}},
    GgmlType{10, "Q2_K", {}},
    GgmlType{11, "Q3_K", {}},
    GgmlType{12, "Q4_K", DataType::q4_k},
    GgmlType{13, "Q5_K", DataType::q5_k},
    GgmlType{14, "Q6_K", DataType::q6_k},
    GgmlType{15, "Q8_K", {}},
    GgmlType{16, "IQ2_XXS", {}},
    GgmlType{17, "IQ2_XS", {}},
    GgmlType{18, "IQ3_XXS", {}},
    GgmlType{19, "IQ1_S", {}},
    GgmlType{20, "IQ4_NL", {}},
    GgmlType{21, "IQ3_S", {}},
    GgmlType{22, "IQ2_S", {}},
    GgmlType{23, "IQ4_XS", {}},
    GgmlType{24, "I8", DataType::int8},
    GgmlType{25, "I16", DataType::int16},
    GgmlType{26, "I32", DataType::int32},
    GgmlType{27, "I64", DataType::int64},
    GgmlType{28, "F64", DataType::float64},
    GgmlType{29, "IQ1_M", {}},
    GgmlType{30, "BF16", DataType::bfloat16},
    GgmlType{34, "TQ1_0", {}},
    GgmlType{35, "TQ2_0", {}},
    GgmlType{39, "MXFP4", {}},
};

constexpr std::uint64_t default_alignment = 32;
/// Files use 32; more than this would only be a way to make offsets overflow.
constexpr std::uint64_t largest_alignment = std::uint64_t{1} << 20;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::model_format, path + ": " + what + "; the file is damaged or not a GGUF file");
}

std::string quoted(const std::string& name) { return "tensor \"" + name + "\""; }

std::uint64_t alignment_of(const GgufMetadata& metadata, const std::string& path) {
  const auto entry = metadata.find("general.alignment");
  if (entry == metadata.end()) return default_alignment;
  const std::uint64_t alignment = gguf_count(entry->second).value_or(0);
  if (!std::has_single_bit(alignment) || alignment > largest_alignment)
    fail(path, "general.alignment is " + std::to_string(alignment) + "; it must be a power of two, at most " +
                   std::to_string(largest_alignment));
  return alignment;
}

DataType type_of(const GgufTensorClaim& claim, const std::string& path) {
  const auto entry = std::find_if(ggml_types.begin(), ggml_types.end(),
                                  [&](const GgmlType& type) { return type.number == claim.type; });
  if (entry != ggml_types.end() && entry->type) return *entry->type;
  const std::string name =
      entry == ggml_types.end() ? "number " + std::to_string(claim.type) : std::string(entry->name);
  throw Error(ErrorCode::model_format, path + ": " + quoted(claim.name) + " is of type " + name +
                                           ", which this version does not read; use a file in F16, Q8_0 or Q4_K, of "
                                           "which there are some for most models");
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (const std::uint64_t size : shape) text.append(text.size() > 1 ? ", " : "").append(std::to_string(size));
  return text + "]";
}

/// The claim as a tensor, once it fits its type, its shape and the file.
TensorInfo checked(const GgufTensorClaim& claim, std::uint64_t alignment, std::span<const std::byte> data,
                   const std::string& path) {
  const DataType type = type_of(claim, path);
  const std::optional<std::uint64_t> bytes = byte_count(type, claim.shape);
  if (!bytes)
    fail(path, quoted(claim.name) + " of shape " + shape_text(claim.shape) + " and type " + name_of(type) +
                   " is not of whole blocks or exceeds 64 bits");
  if (claim.offset % alignment != 0)
    fail(path, quoted(claim.name) + " begins at byte " + std::to_string(claim.offset) +
                   " of the data, which is no multiple of the alignment " + std::to_string(alignment));
  if (claim.offset > data.size() || *bytes > data.size() - claim.offset)
    fail(path, quoted(claim.name) + " takes " + std::to_string(*bytes) + " bytes from byte " +
                   std::to_string(claim.offset) + " of the data on; the file has " + std::to_string(data.size()));
  return {type, {claim.shape.begin(), claim.shape.end()}, data.subspan(claim.offset, *bytes)};
}

}  // namespace

std::shared_ptr<const GgufFile> GgufFile::open(const std::string& path) {
  return std::shared_ptr<const GgufFile>(new GgufFile(path));
}

bool GgufFile::recognises(const std::string& path) {
  const MappedFile file(path);
  return file.bytes().size() >= 4 && std::memcmp(file.bytes().data(), "GGUF", 4) == 0;
}

GgufFile::GgufFile(const std::string& path) : mapping_(path) {
  const std::span<const std::byte> file = mapping_.bytes();
  GgufHeader header = parse_gguf_header(file, path);
  const std::uint64_t alignment = alignment_of(header.metadata, path);
  const std::uint64_t begin = (header.bytes + alignment - 1) / alignment * alignment;
  // A file without tensors may end before the padding does.
  const std::span<const std::byte> data = file.subspan(std::min<std::uint64_t>(begin, file.size()));

  std::vector<ByteRange> ranges;
  for (const GgufTensorClaim& claim : header.tensors) {
    const TensorInfo tensor = checked(claim, alignment, data, path);
    ranges.push_back({claim.name, claim.offset, claim.offset + tensor.bytes.size()});
    tensors_.emplace(claim.name, tensor);
  }
  if (const auto overlap = overlap_in(std::move(ranges))) fail(path, *overlap);
  metadata_ = std::move(header.metadata);
}

const TensorInfo& GgufFile::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error(ErrorCode::model_format, path() + ": there is no " + quoted(name));
  return found->second;
}

std::string GgufFile::architecture() const {
  const auto entry = metadata_.find("general.architecture");
  const auto name = entry == metadata_.end() ? std::nullopt : gguf_string(entry->second);
  if (!name) fail(path(), "the metadata has no text \"general.architecture\"");
  return std::string(*name);
}

}  // namespace lyaplock
