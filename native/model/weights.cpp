#include "model/weights.h"

#include <type_traits>
#include <utility>

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
  WeightReader(Weights& weights, WeightType type, std::size_t threads, Backend& backend)
      : weights_(weights), type_(type), pool_(threads), backend_(backend) {
    const std::string embedding = std::string(weights.family.embedding) + ".weight";
    if (find(std::string(weights.family.prefix) + embedding).tensor != nullptr) prefix_ = weights.family.prefix;
  }

  [[nodiscard]] std::string full_name(const std::string& name) const { return prefix_ + name; }

  /// A tensor of the given shape, as a float32 matrix: one dimension is a row. Without files, memory for it.
  ConstMatrixView<float> read(const std::string& name, const std::vector<std::size_t>& shape) {
    return read_as<float>(name, shape, false);
  }

  /// A matrix [rows, cols], or the transpose of what the checkpoint has, in the type in which weights are held.
  Linear matrix(const std::string& name, const std::vector<std::size_t>& shape, bool transposed = false) {
    Linear linear;
    if (type_ == WeightType::float32)
      linear.weight = read_as<float>(name, shape, transposed);
    else
      linear.half_weight = read_as<Bfloat16>(name, shape, transposed);
    return linear;
  }

  template <class T>
  ConstMatrixView<T> read_as(const std::string& name, const std::vector<std::size_t>& shape, bool transposed) {
    if (weights_.files_.empty()) {
      const std::size_t rows = shape.size() == 1 ? 1 : shape[0], cols = shape.back();
      weights_.owners_.push_back(backend_.allocate(rows * cols * sizeof(T)));
      const auto* data = static_cast<const T*>(weights_.owners_.back().get());
      return transposed ? ConstMatrixView<T>(data, cols, rows) : ConstMatrixView<T>(data, rows, cols);
    }
    const Place found = find(name);
    if (found.tensor == nullptr)
      throw Error(ErrorCode::model_format, "The checkpoint has no tensor \"" + name + "\", looked for in " + places());
    const CheckpointTensor& tensor = *found.tensor;
    if (tensor.shape != shape)
      throw Error(ErrorCode::model_format, found.file->path + ": tensor \"" + name + "\" has the shape " +
                                               shape_text(tensor.shape) + "; the configuration says " +
                                               shape_text(shape));
    std::size_t rows = shape.size() == 1 ? 1 : shape[0], cols = shape.back();
    if (transposed) std::swap(rows, cols);

    std::shared_ptr<const void> host;
    constexpr DataType type = std::is_same_v<T, float> ? DataType::float32 : DataType::bfloat16;
    if (lies_ready(tensor, type, transposed)) {
      host = std::shared_ptr<const void>(found.file->memory, tensor.stored.bytes.data());
    } else {
      // Every element is about to be written.
      std::shared_ptr<T[]> values = std::make_shared_for_overwrite<T[]>(rows * cols);
      read_values(tensor, transposed, std::span<T>(values.get(), rows * cols), pool_);
      host = std::move(values);
    }
    weights_.owners_.push_back(backend_.adopt(std::move(host), rows * cols * sizeof(T)));
    return {static_cast<const T*>(weights_.owners_.back().get()), rows, cols};
  }

  Linear linear(const std::string& name, std::size_t out, std::size_t in, bool bias) {
    const Family& family = weights_.family;
    Linear linear = family.transposed ? matrix(name + ".weight", {in, out}, true) : matrix(name + ".weight", {out, in});
    if (bias) linear.bias = read(name + ".bias", {out});
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
      block.query = linear(name(family.query), query_width, m, model.attention_bias);
      block.key = linear(name(family.key), key_width, m, model.attention_bias);
      block.value = linear(name(family.value), key_width, m, model.attention_bias);
    } else {
      const Linear all = linear(name(family.query_key_value), query_width + 2 * key_width, m, model.attention_bias);
      const auto part = [&](std::size_t begin, std::size_t count) {
        Linear rows;
        if (all.half_weight.empty())
          rows.weight = all.weight.row_range(begin, count);
        else
          rows.half_weight = all.half_weight.row_range(begin, count);
        if (!all.bias.empty()) rows.bias = all.bias.column_range(begin, count);
        return rows;
      };
      block.query = part(0, query_width);
      block.key = part(query_width, key_width);
      block.value = part(query_width + key_width, key_width);
    }
    if (model.head_norms) {
      block.query_norm.weight = read(name(family.query_norm) + ".weight", {model.head_width});
      block.key_norm.weight = read(name(family.key_norm) + ".weight", {model.head_width});
    }
    block.attention_output = linear(name(family.attention_output), m, query_width, model.attention_output_bias);
    block.feed_forward_norm = family.parallel ? block.attention_norm : norm(name(family.feed_forward_norm), m);
    if (family.gated) block.gate = linear(name(family.gate), d, m, model.feed_forward_bias);
    block.up = linear(name(family.up), d, m, model.feed_forward_bias);
    block.down = linear(name(family.down), m, d, model.feed_forward_bias);
    return block;
  }

 private:
  struct Place {
    const CheckpointFile* file;
    const CheckpointTensor* tensor;
  };

  [[nodiscard]] Place find(const std::string& name) const {
    for (const CheckpointFile& file : weights_.files_)
      if (const auto entry = file.tensors.find(name); entry != file.tensors.end()) return {&file, &entry->second};
    return {nullptr, nullptr};
  }
  [[nodiscard]] std::string places() const {
    std::string text;
    for (const CheckpointFile& file : weights_.files_) text.append(text.empty() ? "" : ", ").append(file.path);
    return text;
  }

  Weights& weights_;
  WeightType type_;
  ThreadPool pool_;
  Backend& backend_;
  std::string prefix_;
};

std::unique_ptr<Weights> Weights::load(std::shared_ptr<Backend> backend, const ModelDescription& description,
                                       const std::vector<std::string>& paths, WeightType type, std::size_t threads,
                                       const Cancellation& cancellation) {
  description.validate();
  const Family& family = family_named(description.family);
  std::unique_ptr<Weights> weights(new Weights(std::move(backend), family));
  // Without them the reader makes weights without values.
  if (paths.empty()) throw Error(ErrorCode::model_format, "A checkpoint has one file or more, and none was named");
  weights->files_ = open_checkpoint(paths, description, family);
  weights->read(description, type, threads, cancellation);
  return weights;
}

std::unique_ptr<Weights> Weights::without_values(std::shared_ptr<Backend> backend,
                                                 const ModelDescription& description) {
  description.validate();
  std::unique_ptr<Weights> weights(new Weights(std::move(backend), family_named(description.family)));
  weights->read(description, WeightType::float32, 1, {});
  return weights;
}

void Weights::read(const ModelDescription& description, WeightType type, std::size_t threads,
                   const Cancellation& cancellation) {
  WeightReader reader(*this, type, threads, *backend_);
  const std::size_t m = description.width;
  const std::string name = reader.full_name(std::string(family.embedding)) + ".weight";
  const Linear embedded = reader.matrix(name, {description.vocabulary, m});
  embedding = embedded.weight;
  half_embedding = embedded.half_weight;
  if (family.positions == Positions::learned)
    position_embedding =
        reader.read(reader.full_name(std::string(family.position_embedding)) + ".weight", {description.positions, m});
  for (std::size_t layer = 0; layer < description.layers; ++layer) {
    cancellation.check();
    blocks.push_back(reader.block(description, layer));
    down_names_.push_back(reader.full_name(family.in_block(layer, family.down)));
    original_down_.push_back(blocks.back().down);
  }
  edited_down_.resize(description.layers);
  replaced_down_.resize(description.layers);
  edited_bias_.resize(description.layers);
  replaced_bias_.resize(description.layers);
  final_norm = reader.norm(reader.full_name(std::string(family.final_norm)), m);
  const std::string head_name(family.head);
  head = description.tied_head ? embedded : reader.matrix(head_name + ".weight", {description.vocabulary, m});
  if (description.head_bias) head.bias = reader.read(head_name + ".bias", {description.vocabulary});
}

MatrixView<float> Weights::editable_down(std::size_t layer) {
  Matrix<float>& edited = edited_down_.at(layer);
  if (edited.empty()) {
    const ReadableWeight original = original_down(layer);
    Matrix<float> copy(*backend_, original.view.rows, original.view.cols);
    backend_->copy(original.view, copy);
    edited = std::move(copy);
    use(layer, edited);
  }
  return edited.view();
}

/// A float32 weight, for a layer's forward pass.
void Weights::use(std::size_t layer, const Matrix<float>& weight) {
  blocks[layer].down.weight = weight.view();
  blocks[layer].down.half_weight = {};
}

ReadableWeight Weights::readable(const Linear& linear) const {
  if (linear.half_weight.empty()) return {{}, linear.weight};
  ReadableWeight readable{Matrix<float>(*backend_, linear.half_weight.rows, linear.half_weight.cols), {}};
  backend_->convert(linear.half_weight, readable.memory);
  readable.view = std::as_const(readable.memory).view();
  return readable;
}

void Weights::replace_original(std::size_t layer, Matrix<float> weight) {
  edited_down_.at(layer) = {};
  replaced_down_[layer] = std::move(weight);
  use(layer, replaced_down_[layer]);
  original_down_[layer].weight = blocks[layer].down.weight;
  original_down_[layer].half_weight = {};
}

MatrixView<float> Weights::editable_bias(std::size_t layer) {
  Matrix<float>& edited = edited_bias_.at(layer);
  if (edited.empty()) {
    const ConstMatrixView<float> original = original_bias(layer);
    Matrix<float> copy(*backend_, original.rows, original.cols);
    backend_->copy(original, copy);
    edited = std::move(copy);
    blocks[layer].down.bias = edited.view();
  }
  return edited.view();
}

void Weights::replace_original_bias(std::size_t layer, Matrix<float> bias) {
  edited_bias_.at(layer) = {};
  replaced_bias_[layer] = std::move(bias);
  blocks[layer].down.bias = original_down_[layer].bias = replaced_bias_[layer].view();
}

}  // namespace lyaplock
