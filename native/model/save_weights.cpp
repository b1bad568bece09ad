#include <cmath>
#include <filesystem>

#include "model/transpose.h"
#include "model/weights.h"

namespace lyaplock {

namespace {

double norm_of_difference(const TensorInfo& stored, std::span<const float> values) {
  std::vector<float> read(values.size());
  read_floats(stored, std::span<float>(read));
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = static_cast<double>(read[i]) - static_cast<double>(values[i]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

}  // namespace

std::vector<SavedMatrix> Weights::save(const std::string& directory, std::optional<DataType> type) const {
  std::vector<SavedMatrix> saved;
  for (const auto& file : files_) {
    std::vector<TensorToWrite> tensors;
    std::vector<std::vector<std::byte>> replaced;  // alive until the file is written
    replaced.reserve(down_names_.size());
    for (const auto& [name, tensor] : file->tensors()) {
      TensorToWrite out{name, tensor.type, tensor.shape, tensor.bytes};
      for (std::size_t layer = 0; layer < down_names_.size(); ++layer) {
        if (down_names_[layer] != name || !differs_from_checkpoint(layer)) continue;
        const ConstMatrixView<float> weight = blocks[layer].down.weight;
        std::vector<float> values = download<float>(*backend_, weight);
        if (family.transposed) {
          std::vector<float> turned(values.size());
          transpose(values, weight.rows, weight.cols, turned);
          values = std::move(turned);
        }
        out.type = type.value_or(tensor.type);
        replaced.push_back(floats_as(out.type, values));
        out.bytes = replaced.back();
        const double rounding = norm_of_difference({out.type, out.shape, out.bytes}, values);
        if (!std::isfinite(rounding))
          throw Error(ErrorCode::not_finite, "The weight of layer " + std::to_string(layer) +
                                                 " has elements too large for " + name_of(out.type) +
                                                 "; save the model with the type f32 or bf16");
        saved.push_back({layer, out.type, tensor.type, rounding});
      }
      tensors.push_back(std::move(out));
    }
    const std::filesystem::path name = std::filesystem::path(file->path()).filename();
    write_safetensors((std::filesystem::path(directory) / name).string(), tensors, file->metadata());
  }
  return saved;
}

}  // namespace lyaplock
