#include <algorithm>
#include <cmath>
#include <filesystem>

#include "format/safetensors.h"
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
  for (const CheckpointFile& file : files_) {
    std::vector<TensorToWrite> tensors;
    std::vector<std::vector<std::byte>> replaced;  // alive until the file is written
    replaced.reserve(down_names_.size());
    for (const auto& [name, tensor] : file.tensors) {
      TensorToWrite out{name, type_when_saved(tensor), tensor.shape};
      const auto down = std::find(down_names_.begin(), down_names_.end(), name);
      if (const auto layer = static_cast<std::size_t>(down - down_names_.begin());
          down != down_names_.end() && differs_from_checkpoint(layer)) {
        const ConstMatrixView<float> weight = blocks[layer].down.weight;
        std::vector<float> values = download<float>(*backend_, weight);
        if (family.transposed) {
          std::vector<float> turned(values.size());
          transpose<float>(values, weight.rows, weight.cols, turned);
          values = std::move(turned);
        }
        const DataType was = out.type;
        out.type = type.value_or(was);
        replaced.push_back(floats_as(out.type, values));
        out.bytes = replaced.back();
        const double rounding = norm_of_difference({out.type, out.shape, out.bytes}, values);
        if (!std::isfinite(rounding))
          throw Error(ErrorCode::not_finite, "The weight of layer " + std::to_string(layer) +
                                                 " has elements too large for " + name_of(out.type) +
                                                 "; save the model with the type f32 or bf16");
        saved.push_back({layer, out.type, was, rounding});
      } else if (keeps_bytes(tensor)) {
        out.bytes = tensor.stored.bytes;
      } else {
        out.make_bytes = [&tensor] { return bytes_when_saved(tensor); };
      }
      tensors.push_back(std::move(out));
    }
    write_safetensors((std::filesystem::path(directory) / file.name_when_saved).string(), tensors, file.metadata);
  }
  return saved;
}

}  // namespace lyaplock
