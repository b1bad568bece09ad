// A model's weights in a backend's memory.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/matrix.h"
#include "base/cancellation.h"
#include "model/checkpoint.h"
#include "model/description.h"
#include "model/family.h"

namespace lyaplock {

/// y = x weight^T + bias: weight [out, in] whatever the checkpoint stores, bias [1, out] or empty.
struct Linear {
  ConstMatrixView<float> weight;
  ConstMatrixView<Bfloat16> half_weight;  // in place of `weight`
  ConstMatrixView<float> bias;
};

/// How weights are held in memory; all arithmetic is float32. Norms, biases, learned positions and edited matrices are
/// float32 in any case.
enum class WeightType { float32, bfloat16 };

/// A weight as float32, for reading: where it is not held so, in memory of its own.
struct ReadableWeight {
  Matrix<float> memory;
  ConstMatrixView<float> view;
};

/// Scale and, for LayerNorm, shift; [1, m] each.
struct NormWeights {
  ConstMatrixView<float> weight;
  ConstMatrixView<float> bias;
};

struct BlockWeights {
  NormWeights attention_norm;
  Linear query, key, value, attention_output;
  NormWeights query_norm, key_norm;  // [1, head_width], or empty
  NormWeights feed_forward_norm;     // in parallel families, the attention's
  Linear gate;                       // empty in families that are not gated
  Linear up;
  Linear down;  // its weight is what is edited; fine-tuning changes its bias too
};

/// A matrix that `save` did not copy from the checkpoint.
struct SavedMatrix {
  std::size_t layer;
  DataType type;
  DataType was;     // of the tensor in the checkpoint; float32 for one that is quantised there
  double rounding;  // what rounding to that type changed of it, Frobenius
};

/// Everything in a checkpoint that a forward pass reads. Tensors of the type that is held, in our orientation, stay in
/// the mapped file; others are converted (rounded to nearest, where that is narrower), and GPT-2's transposed, when
/// they are read.
class Weights {
 public:
  /// Opens the files of one checkpoint. ErrorCode::model_format names a weight that is missing or whose shape is not
  /// what the description says; weights no family knows are left alone. What is converted is so by that many threads.
  static std::unique_ptr<Weights> load(std::shared_ptr<Backend> backend, const ModelDescription& description,
                                       const std::vector<std::string>& paths, WeightType type, std::size_t threads,
                                       const Cancellation& cancellation);
  /// As large as a checkpoint's, in float32, and uninitialised: for a backend that looks at sizes alone.
  static std::unique_ptr<Weights> without_values(std::shared_ptr<Backend> backend, const ModelDescription& description);

  const Family& family;
  ConstMatrixView<float> embedding;           // [vocabulary, m]
  ConstMatrixView<Bfloat16> half_embedding;   // in its place
  ConstMatrixView<float> position_embedding;  // [positions, m], or empty
  std::vector<BlockWeights> blocks;
  NormWeights final_norm;
  Linear head;  // [vocabulary, m]

  /// What a down-projection's drift is counted from, [m, d]: the checkpoint's weight, or what `replace_original` put in
  /// its place.
  [[nodiscard]] ReadableWeight original_down(std::size_t layer) const { return readable(original_down_.at(layer)); }
  /// That in use, [m, d].
  [[nodiscard]] ReadableWeight down(std::size_t layer) const { return readable(blocks.at(layer).down); }
  /// Memory for that layer's weight to be changed in, made on first use with the original in it.
  MatrixView<float> editable_down(std::size_t layer);
  [[nodiscard]] bool edited(std::size_t layer) const { return !edited_down_.at(layer).empty(); }
  /// Takes a weight [m, d] for the original, and for the one in use.
  void replace_original(std::size_t layer, Matrix<float> weight);

  // The same for its bias [1, m]; the first three are empty where the family has none, and the others must not be asked
  // for.
  [[nodiscard]] ConstMatrixView<float> original_bias(std::size_t layer) const { return original_down_.at(layer).bias; }
  [[nodiscard]] ConstMatrixView<float> bias(std::size_t layer) const { return blocks.at(layer).down.bias; }
  [[nodiscard]] bool has_bias(std::size_t layer) const { return !bias(layer).empty(); }
  MatrixView<float> editable_bias(std::size_t layer);
  [[nodiscard]] bool edited_bias(std::size_t layer) const { return !edited_bias_.at(layer).empty(); }
  void replace_original_bias(std::size_t layer, Matrix<float> bias);

  /// Writes the checkpoint's files into a directory: safetensors under their own names, a GGUF file as
  /// model.safetensors. Edited and replaced matrices (and biases, which are not told of) are written in the orientation
  /// of the family's checkpoints and of the given type, or of that of the tensor they replace; what is quantised
  /// becomes F32; all other tensors keep their values and type. ErrorCode::file if that fails, ErrorCode::not_finite if
  /// the type cannot hold an element; each file is whole or absent.
  std::vector<SavedMatrix> save(const std::string& directory, std::optional<DataType> type) const;

 private:
  Weights(std::shared_ptr<Backend> backend, const Family& family) : family(family), backend_(std::move(backend)) {}

  void read(const ModelDescription& description, WeightType type, std::size_t threads,
            const Cancellation& cancellation);
  [[nodiscard]] ReadableWeight readable(const Linear& linear) const;
  void use(std::size_t layer, const Matrix<float>& weight);

  /// What is in use in place of the checkpoint's tensors, by their names.
  struct ChangedTensor {
    std::size_t layer;
    ConstMatrixView<float> values;
    bool is_weight;
  };
  [[nodiscard]] std::map<std::string, ChangedTensor> changed_tensors() const;

  std::shared_ptr<Backend> backend_;
  std::vector<CheckpointFile> files_;
  std::vector<std::shared_ptr<const void>> owners_;  // of everything viewed above
  std::vector<std::string> down_names_;              // without ".weight" or ".bias"
  std::vector<Linear> original_down_;
  std::vector<Matrix<float>> edited_down_, replaced_down_;  // empty where that did not happen
  std::vector<Matrix<float>> edited_bias_, replaced_bias_;  // likewise
  friend class WeightReader;
};

}  // namespace lyaplock
