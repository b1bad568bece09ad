#include "model/weight_change.h"

#include <cmath>

namespace lyaplock {

namespace {

void check_shape(const std::string& what, std::size_t layer, const std::string& found, const std::string& due) {
  if (found != due)
    throw Error(ErrorCode::shape,
                "The " + what + " of layer " + std::to_string(layer) + " is " + due + "; received " + found);
}

template <class T>
void check_weight(Transformer& model, std::size_t layer, ConstMatrixView<T> matrix) {
  const ModelDescription& description = model.description();
  const ConstMatrixView<float> due(nullptr, description.width, description.feed_forward_width);
  check_shape("down-projection", layer, shape_of(matrix), shape_of(due));
}

void check_finite(Transformer& model, const std::string& what, std::size_t layer, ConstMatrixView<float> matrix) {
  if (!model.backend().all_finite(matrix))
    throw Error(ErrorCode::not_finite, "The new " + what + " of layer " + std::to_string(layer) +
                                           " would hold NaN or infinity; it was not set");
}

/// Adds what has become of one matrix.
void add_change(Backend& backend, ConstMatrixView<float> original, ConstMatrixView<float> current,
                WeightChange& change) {
  Matrix<float> difference(backend, original.rows, original.cols);
  backend.copy(current, difference);
  backend.add_scaled(-1.0F, original, difference);
  change.norm = std::hypot(change.norm, std::sqrt(backend.dot(difference.view(), difference.view())));
  for (const float element : download<float>(backend, difference.view()))
    if (element != 0) ++change.changed;
}

}  // namespace

void set_drift(Transformer& model, std::size_t layer, ConstMatrixView<double> drift) {
  check_weight(model, layer, drift);
  Matrix<float> weight(model.backend(), drift.rows, drift.cols);
  model.backend().add_rounded(model.weights().original_down(layer).view, drift, weight);
  set_weight(model, layer, weight);
}

void set_weight(Transformer& model, std::size_t layer, ConstMatrixView<float> weight) {
  check_weight(model, layer, weight);
  check_finite(model, "weight", layer, weight);
  model.backend().copy(weight, model.weights().editable_down(layer));
}

void set_bias(Transformer& model, std::size_t layer, ConstMatrixView<float> bias) {
  const ConstMatrixView<float> due = model.weights().bias(layer);
  if (due.empty())
    throw Error(ErrorCode::invalid_argument,
                "The down-projections of " + model.description().family + " models have no bias");
  check_shape("bias", layer, shape_of(bias), shape_of(due));
  check_finite(model, "bias", layer, bias);
  model.backend().copy(bias, model.weights().editable_bias(layer));
}

WeightChange weight_change_of(Transformer& model, std::size_t layer) {
  Backend& backend = model.backend();
  const Weights& weights = model.weights();
  const ReadableWeight original = weights.original_down(layer), current = weights.down(layer);
  const ConstMatrixView<float> bias = weights.original_bias(layer);
  WeightChange change{.norm = 0,
                      .original_norm = std::sqrt(backend.dot(original.view, original.view)),
                      .changed = 0,
                      .elements = original.view.size()};
  if (weights.edited(layer)) add_change(backend, original.view, current.view, change);
  if (weights.edited_bias(layer)) {
    change.original_norm = std::hypot(change.original_norm, std::sqrt(backend.dot(bias, bias)));
    change.elements += bias.size();
    add_change(backend, bias, weights.bias(layer), change);
  }
  return change;
}

}  // namespace lyaplock
