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

std::map<std::string, Weights::ChangedTensor> Weights::changed_tensors() const {
  std::map<std::string, ChangedTensor> changed;
  for (std::size_t layer = 0; layer < down_names_.size(); ++layer) {
    const Linear& down = blocks[layer].down;
    if (edited(layer) || !replaced_down_[layer].empty())
      changed.insert({down_names_[layer] + ".weight", {layer, down.weight, true}});
    if (edited_bias(layer) || !replaced_bias_[layer].empty())
      changed.insert({down_names_[layer] + ".bias", {layer, down.bias, false}});
  }
  return changed;
}

std::vector<SavedMatrix> Weights::save(const std::string& directory, std::optional<DataType> type) const {
  std::vector<SavedMatrix> saved;
  const std::map<std::string, ChangedTensor> changed = changed_tensors();
  for (const CheckpointFile& file : files_) {
    std::vector<TensorToWrite> tensors;
    std::vector<std::vector<std::byte>> replaced;  // alive until the file is written
    replaced.reserve(changed.size());
    for (const auto& [name, tensor] : file.tensors) {
      TensorToWrite out{name, type_when_saved(tensor), tensor.shape};
      if (const auto found = changed.find(name); found != changed.end()) {
        const auto& [layer, now, is_weight] = found->second;
        std::vector<float> values = download<float>(*backend_, now);
        if (is_weight && family.transposed) {
          std::vector<float> turned(values.size());
          transpose<float>({values.data(), now.rows, now.cols}, {turned.data(), now.cols, now.rows});
          values = std::move(turned);
        }
        const DataType was = out.type;
        out.type = type.value_or(was);
        replaced.push_back(floats_as(out.type, values));
        out.bytes = replaced.back();
        const double rounding = norm_of_difference({out.type, out.shape, out.bytes}, values);
        if (!std::isfinite(rounding))
          throw Error(ErrorCode::not_finite, std::string(is_weight ? "The weight" : "The bias") + " of layer " +
                                                 std::to_string(layer) + " has elements too large for " +
                                                 name_of(out.type) + "; save the model with the type f32 or bf16");
        if (is_weight) saved.push_back({layer, out.type, was, rounding});
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
