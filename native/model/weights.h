// A model's weights in a backend's memory.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/matrix.h"
#include "base/cancellation.h"
#include "format/safetensors.h"
#include "model/description.h"
#include "model/family.h"

namespace lyaplock {

/// y = x weight^T + bias: weight [out, in] whatever the checkpoint stores, bias [1, out] or empty.
struct Linear {
  ConstMatrixView<float> weight;
  ConstMatrixView<float> bias;
};

/// Scale and, for LayerNorm, shift; [1, m] each.
struct NormWeights {
  ConstMatrixView<float> weight;
  ConstMatrixView<float> bias;
};

struct BlockWeights {
  NormWeights attention_norm;
  Linear query, key, value, attention_output;
  NormWeights feed_forward_norm;
  Linear gate;  // empty in families that are not gated
  Linear up;
  Linear down;  // its weight is what is edited
};

/// A matrix that `save` did not copy from the checkpoint.
struct SavedMatrix {
  std::size_t layer;
  DataType type;
  DataType was;     // of the tensor in the checkpoint
  double rounding;  // what rounding to that type changed of it, Frobenius
};

/// Everything in a checkpoint that a forward pass reads. Float32 tensors in our orientation stay in the mapped file;
/// others are converted, and GPT-2's transposed, when they are read.
class Weights {
 public:
  /// Opens the files of one checkpoint. ErrorCode::model_format names a weight that is missing or whose shape is not
  /// what the description says; weights no family knows are left alone.
  static std::unique_ptr<Weights> load(std::shared_ptr<Backend> backend, const ModelDescription& description,
                                       const std::vector<std::string>& paths, const Cancellation& cancellation);

  const Family& family;
  ConstMatrixView<float> embedding;           // [vocabulary, m]
  ConstMatrixView<float> position_embedding;  // [positions, m], or empty
  std::vector<BlockWeights> blocks;
  NormWeights final_norm;
  Linear head;  // [vocabulary, m]

  /// What a down-projection's drift is counted from, [m, d]: the checkpoint's weight, or what `replace_original` put in
  /// its place.
  [[nodiscard]] ConstMatrixView<float> original_down(std::size_t layer) const { return original_down_.at(layer); }
  /// Memory for that layer's weight to be changed in, made on first use with the original in it.
  MatrixView<float> editable_down(std::size_t layer);
  [[nodiscard]] bool edited(std::size_t layer) const { return !edited_down_.at(layer).empty(); }
  /// Takes a weight [m, d] for the original, and for the one in use.
  void replace_original(std::size_t layer, Matrix<float> weight);

  /// Writes the checkpoint's files into a directory under their own names. Edited and replaced matrices are written in
  /// the checkpoint's orientation and of the given type, or of that of the tensor they replace; all other tensors keep
  /// their bytes. ErrorCode::file if that fails, ErrorCode::not_finite if the type cannot hold an element; each file is
  /// whole or absent.
  std::vector<SavedMatrix> save(const std::string& directory, std::optional<DataType> type) const;

 private:
  Weights(std::shared_ptr<Backend> backend, const Family& family) : family(family), backend_(std::move(backend)) {}

  [[nodiscard]] bool differs_from_checkpoint(std::size_t layer) const {
    return edited(layer) || !replaced_down_[layer].empty();
  }

  std::shared_ptr<Backend> backend_;
  std::vector<std::shared_ptr<const SafetensorsFile>> files_;
  std::vector<std::shared_ptr<const void>> owners_;  // of everything viewed above
  std::vector<std::string> down_names_;
  std::vector<ConstMatrixView<float>> original_down_;
  std::vector<Matrix<float>> edited_down_, replaced_down_;  // empty where that did not happen
  friend class WeightReader;
};

}  // namespace lyaplock
