#include "model/weights.h"

#include <cstdint>

#include "model/transpose.h"

namespace lyaplock {

namespace {

std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text = "[";
  for (const std::size_t size : shape) text.append(text.size() > 1 ? ", " : "").append(std::to_string(size));
  return text + "]";
}

}  // namespace

/// Finds tensors by name and brings them to the backend.
class WeightReader {
 public:
  WeightReader(Weights& weights, Backend& backend) : weights_(weights), backend_(backend) {
    const std::string embedding = std::string(weights.family.embedding) + ".weight";
    if (find(std::string(weights.family.prefix) + embedding) != nullptr) prefix_ = weights.family.prefix;
  }

  [[nodiscard]] std::string full_name(const std::string& name) const { return prefix_ + name; }

  /// A tensor of the given shape, as a matrix: one dimension is a row.
  ConstMatrixView<float> read(const std::string& name, const std::vector<std::size_t>& shape, bool transposed = false) {
    const auto* found = find(name);
    if (found == nullptr)
      throw Error(ErrorCode::model_format, "The checkpoint has no tensor \"" + name + "\", looked for in " + places());
    const auto& [file, tensor] = *found;
    if (tensor.shape != shape)
      throw Error(ErrorCode::model_format, file->path() + ": tensor \"" + name + "\" has the shape " +
                                               shape_text(tensor.shape) + "; the configuration says " +
                                               shape_text(shape));
    std::size_t rows = shape.size() == 1 ? 1 : shape[0], cols = shape.back();

    const bool aligned = reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % alignof(float) == 0;
    std::shared_ptr<const void> host;
    if (tensor.type == DataType::float32 && aligned && !transposed) {
      host = std::shared_ptr<const void>(file, tensor.bytes.data());
    } else {
      auto values = std::make_shared<std::vector<float>>(rows * cols);
      read_floats(tensor, std::span<float>(*values));
      if (transposed) {
        auto turned = std::make_shared<std::vector<float>>(rows * cols);
        transpose(*values, rows, cols, *turned);
        values = std::move(turned);
        std::swap(rows, cols);
      }
      host = std::shared_ptr<const void>(values, values->data());
    }
    weights_.owners_.push_back(backend_.adopt(std::move(host), rows * cols * sizeof(float)));
    return {static_cast<const float*>(weights_.owners_.back().get()), rows, cols};
  }

  Linear linear(const std::string& name, std::size_t out, std::size_t in) {
    const Family& family = weights_.family;
    Linear linear;
    linear.weight = family.transposed ? read(name + ".weight", {in, out}, true) : read(name + ".weight", {out, in});
    if (family.biases) linear.bias = read(name + ".bias", {out});
    return linear;
  }

  NormWeights norm(const std::string& name, std::size_t width) {
    NormWeights norm{read(name + ".weight", {width}), {}};
    if (weights_.family.norm == Norm::layer) norm.bias = read(name + ".bias", {width});
    return norm;
  }

  BlockWeights block(const ModelDescription& model, std::size_t layer) {
    const Family& family = weights_.family;
    const std::size_t m = model.width, d = model.feed_forward_width;
    const std::size_t query_width = model.heads * model.head_width;
    const std::size_t key_width = model.key_value_heads * model.head_width;
    const auto name = [&](std::string_view weight) { return full_name(family.in_block(layer, weight)); };

    BlockWeights block;
    block.attention_norm = norm(name(family.attention_norm), m);
    if (family.query_key_value.empty()) {
      block.query = linear(name(family.query), query_width, m);
      block.key = linear(name(family.key), key_width, m);
      block.value = linear(name(family.value), key_width, m);
    } else {
      const Linear all = linear(name(family.query_key_value), query_width + 2 * key_width, m);
      const auto part = [&](std::size_t begin, std::size_t count) {
        return Linear{all.weight.row_range(begin, count),
                      all.bias.empty() ? all.bias : all.bias.column_range(begin, count)};
      };
      block.query = part(0, query_width);
      block.key = part(query_width, key_width);
      block.value = part(query_width + key_width, key_width);
    }
    block.attention_output = linear(name(family.attention_output), m, query_width);
    block.feed_forward_norm = norm(name(family.feed_forward_norm), m);
    if (family.gated) block.gate = linear(name(family.gate), d, m);
    block.up = linear(name(family.up), d, m);
    block.down = linear(name(family.down), m, d);
    return block;
  }

 private:
  using Place = std::pair<std::shared_ptr<const SafetensorsFile>, TensorInfo>;

  const Place* find(const std::string& name) {
    for (const auto& file : weights_.files_)
      if (const auto entry = file->tensors().find(name); entry != file->tensors().end()) {
        place_ = {file, entry->second};
        return &place_;
      }
    return nullptr;
  }
  [[nodiscard]] std::string places() const {
    std::string text;
    for (const auto& file : weights_.files_) text.append(text.empty() ? "" : ", ").append(file->path());
    return text;
  }

  Weights& weights_;
  Backend& backend_;
  std::string prefix_;
  Place place_;
};

std::unique_ptr<Weights> Weights::load(std::shared_ptr<Backend> backend, const ModelDescription& description,
                                       const std::vector<std::string>& paths, const Cancellation& cancellation) {
  description.validate();
  const Family& family = family_named(description.family);
  std::unique_ptr<Weights> weights(new Weights(backend, family));
  for (const std::string& path : paths) weights->files_.push_back(SafetensorsFile::open(path));

  WeightReader reader(*weights, *backend);
  const std::size_t m = description.width;
  const std::string embedding = reader.full_name(std::string(family.embedding)) + ".weight";
  weights->embedding = reader.read(embedding, {description.vocabulary, m});
  if (family.positions == Positions::learned)
    weights->position_embedding =
        reader.read(reader.full_name(std::string(family.position_embedding)) + ".weight", {description.positions, m});
  for (std::size_t layer = 0; layer < description.layers; ++layer) {
    cancellation.check();
    weights->blocks.push_back(reader.block(description, layer));
    weights->down_names_.push_back(reader.full_name(family.in_block(layer, family.down)) + ".weight");
    weights->original_down_.push_back(weights->blocks.back().down.weight);
  }
  weights->edited_down_.resize(description.layers);
  weights->replaced_down_.resize(description.layers);
  weights->final_norm = reader.norm(reader.full_name(std::string(family.final_norm)), m);
  weights->head.weight = description.tied_head
                             ? weights->embedding
                             : reader.read(std::string(family.head) + ".weight", {description.vocabulary, m});
  return weights;
}

MatrixView<float> Weights::editable_down(std::size_t layer) {
  Matrix<float>& edited = edited_down_.at(layer);
  if (edited.empty()) {
    const ConstMatrixView<float> original = original_down_[layer];
    edited = Matrix<float>(*backend_, original.rows, original.cols);
    backend_->copy(original, edited);
    blocks[layer].down.weight = edited.view();
  }
  return edited.view();
}

void Weights::replace_original(std::size_t layer, Matrix<float> weight) {
  edited_down_.at(layer) = {};
  replaced_down_[layer] = std::move(weight);
  original_down_[layer] = replaced_down_[layer].view();
  blocks[layer].down.weight = replaced_down_[layer].view();
}

}  // namespace lyaplock
