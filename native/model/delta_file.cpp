#include "model/delta_file.h"

#include <charconv>
#include <cstring>
#include <optional>

#include "format/safetensors.h"

namespace lyaplock {

namespace {

/// Of one layer's matrix, and of its bias, dense, where that was edited.
struct LayerDelta {
  WeightDelta weight;
  std::optional<WeightDelta> bias;
};

std::string prefix_of(std::size_t layer) { return "layer." + std::to_string(layer) + "."; }
std::string bias_name(std::size_t layer) { return prefix_of(layer) + "bias.difference"; }

template <class T>
TensorToWrite tensor_of(std::string name, DataType type, std::vector<std::size_t> shape, const std::vector<T>& values) {
  return {std::move(name), type, std::move(shape), std::as_bytes(std::span(values))};
}

void append(std::vector<TensorToWrite>& tensors, std::size_t layer, const LayerDelta& delta) {
  const std::string prefix = prefix_of(layer);
  const auto numbers = [&](const char* name, const std::vector<std::int32_t>& values) {
    tensors.push_back(tensor_of(prefix + name, DataType::int32, {values.size()}, values));
  };
  if (delta.bias)
    tensors.push_back(
        tensor_of(bias_name(layer), DataType::int32, {delta.bias->rows, delta.bias->cols}, delta.bias->difference));
  const WeightDelta& weight = delta.weight;
  if (weight.dense()) {
    tensors.push_back(tensor_of(prefix + "difference", DataType::int32, {weight.rows, weight.cols}, weight.difference));
    return;
  }
  tensors.push_back(tensor_of(prefix + "left", DataType::float64, {weight.rows, weight.rank()}, weight.left));
  tensors.push_back(tensor_of(prefix + "right", DataType::float64, {weight.rank(), weight.cols}, weight.right));
  numbers("apply.places", weight.apply.places);
  numbers("apply.bits", weight.apply.bits);
  numbers("remove.places", weight.remove.places);
  numbers("remove.bits", weight.remove.bits);
}

/// A delta file whose layers are those of a model.
class DeltaReader {
 public:
  DeltaReader(const std::string& path, Transformer& model) : file_(SafetensorsFile::open(path)), model_(model) {
    for (const auto& [name, tensor] : file_->tensors()) layers_[layer_in(name)] += 1;
  }

  /// Every layer there is, checked.
  [[nodiscard]] std::map<std::size_t, LayerDelta> read() const {
    std::map<std::size_t, LayerDelta> deltas;
    for (const auto& [layer, tensors] : layers_) {
      LayerDelta delta{{}, read_bias(layer)};
      delta.weight = read_layer(layer, tensors - (delta.bias ? 1 : 0));
      deltas.emplace(layer, std::move(delta));
    }
    return deltas;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::model_format, file_->path() + ": " + what + "; it is damaged, or not a delta of this model");
  }

  [[nodiscard]] std::size_t layer_in(const std::string& name) const {
    constexpr std::string_view begin = "layer.";
    std::size_t layer = 0;
    const char* first = name.data() + std::min(begin.size(), name.size());
    const auto [end, error] = std::from_chars(first, name.data() + name.size(), layer);
    if (!name.starts_with(begin) || error != std::errc() || end == name.data() + name.size() || *end != '.')
      fail("tensor \"" + name + "\" is of no layer");
    if (layer >= model_.description().layers)
      fail("it changes layer " + std::to_string(layer) + " of a model that has " +
           std::to_string(model_.description().layers));
    return layer;
  }

  [[nodiscard]] std::optional<WeightDelta> read_bias(std::size_t layer) const {
    const std::string name = bias_name(layer);
    if (!file_->tensors().contains(name)) return std::nullopt;
    const ConstMatrixView<float> bias = model_.weights().original_bias(layer);
    if (bias.empty()) fail("it changes the bias of layer " + std::to_string(layer) + ", which has none");
    WeightDelta delta;
    delta.rows = bias.rows;
    delta.cols = bias.cols;
    delta.difference = values<std::int32_t>(name, DataType::int32, {bias.rows, bias.cols});
    return delta;
  }

  [[nodiscard]] WeightDelta read_layer(std::size_t layer, std::size_t tensors) const {
    const ReadableWeight readable = model_.weights().original_down(layer);
    const ConstMatrixView<float> weight = readable.view;
    const std::string prefix = prefix_of(layer);
    WeightDelta delta;
    delta.rows = weight.rows;
    delta.cols = weight.cols;
    if (file_->tensors().contains(prefix + "difference")) {
      if (tensors != 1) fail("layer " + std::to_string(layer) + " has a difference and more");
      delta.difference = values<std::int32_t>(prefix + "difference", DataType::int32, {weight.rows, weight.cols});
      return delta;
    }
    if (tensors != 6) fail("layer " + std::to_string(layer) + " has " + std::to_string(tensors) + " tensors, not 6");
    const std::vector<std::size_t>& shape = file_->tensor(prefix + "left").shape;
    const std::size_t rank = shape.size() == 2 ? shape[1] : 0;
    if (rank == 0 || rank > std::min(weight.rows, weight.cols))
      fail("the factors of layer " + std::to_string(layer) + " have no shape that fits");
    delta.left = values<double>(prefix + "left", DataType::float64, {weight.rows, rank});
    delta.right = values<double>(prefix + "right", DataType::float64, {rank, weight.cols});
    delta.apply = corrections(prefix + "apply.", weight.size());
    delta.remove = corrections(prefix + "remove.", weight.size());
    return delta;
  }

  [[nodiscard]] WeightDelta::Corrections corrections(const std::string& prefix, std::size_t elements) const {
    const std::size_t count = file_->tensor(prefix + "places").elements();
    WeightDelta::Corrections corrections{values<std::int32_t>(prefix + "places", DataType::int32, {count}),
                                         values<std::int32_t>(prefix + "bits", DataType::int32, {count})};
    for (const std::int32_t place : corrections.places)
      if (place < 0 || static_cast<std::size_t>(place) >= elements)
        fail("\"" + prefix + "places\" names element " + std::to_string(place) + " of " + std::to_string(elements));
    return corrections;
  }

  template <class T>
  [[nodiscard]] std::vector<T> values(const std::string& name, DataType type,
                                      const std::vector<std::size_t>& shape) const {
    const TensorInfo& tensor = file_->tensor(name);
    if (tensor.type != type || tensor.shape != shape)
      fail("tensor \"" + name + "\" has another type or shape than due");
    std::vector<T> values(tensor.elements());
    if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }

  std::shared_ptr<const SafetensorsFile> file_;
  Transformer& model_;
  std::map<std::size_t, std::size_t> layers_;  // how many tensors each has
};

}  // namespace

void write_delta(Transformer& model, const std::string& path, std::span<const std::size_t> layers,
                 const std::map<std::size_t, ConstMatrixView<double>>& drifts,
                 const std::map<std::string, std::string>& metadata) {
  Backend& backend = model.backend();
  const Weights& weights = model.weights();
  std::map<std::size_t, LayerDelta> deltas;
  for (const std::size_t layer : layers) {
    const ReadableWeight readable = weights.original_down(layer);
    const ConstMatrixView<float> original = readable.view;
    if (original.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
      throw Error(ErrorCode::invalid_argument, "A weight of " + shape_of(original) + " is too large for a delta");
    std::vector<double> drift;
    if (const auto known = drifts.find(layer); known != drifts.end()) {
      if (known->second.rows != original.rows || known->second.cols != original.cols)
        throw Error(ErrorCode::shape, "The down-projection of layer " + std::to_string(layer) + " is " +
                                          shape_of(original) + ", its drift " + shape_of(known->second));
      drift = download<double>(backend, known->second);
    }
    LayerDelta delta{delta_between(original.rows, original.cols, download<float>(backend, original),
                                   download<float>(backend, weights.down(layer).view), drift),
                     {}};
    if (const ConstMatrixView<float> bias = weights.original_bias(layer); weights.edited_bias(layer))
      delta.bias = delta_between(bias.rows, bias.cols, download<float>(backend, bias),
                                 download<float>(backend, weights.bias(layer)), {});
    deltas.emplace(layer, std::move(delta));
  }
  std::vector<TensorToWrite> tensors;
  for (const auto& [layer, delta] : deltas) append(tensors, layer, delta);
  write_safetensors(path, tensors, metadata);
}

void change_by_delta(Transformer& model, const std::string& path, DeltaDirection direction) {
  Backend& backend = model.backend();
  Weights& weights = model.weights();
  const auto changed = [&](std::size_t layer, const WeightDelta& delta, ConstMatrixView<float> now) {
    std::vector<float> host = download<float>(backend, now);
    change(delta, direction, host);
    Matrix<float> matrix = upload<float>(backend, host, delta.rows, delta.cols);
    if (!backend.all_finite(matrix.view()))
      throw Error(ErrorCode::not_finite, path + " would make layer " + std::to_string(layer) +
                                             " hold NaN or infinity; it is damaged, or not a delta of this model");
    return matrix;
  };
  std::map<std::size_t, Matrix<float>> matrices, biases;
  for (const auto& [layer, delta] : DeltaReader(path, model).read()) {
    matrices.emplace(layer, changed(layer, delta.weight, weights.down(layer).view));
    if (delta.bias) biases.emplace(layer, changed(layer, *delta.bias, weights.bias(layer)));
  }
  for (auto& [layer, matrix] : matrices) weights.replace_original(layer, std::move(matrix));
  for (auto& [layer, bias] : biases) weights.replace_original_bias(layer, std::move(bias));
}

}  // namespace lyaplock
