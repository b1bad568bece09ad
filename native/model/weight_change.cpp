#include "model/weight_change.h"

#include <cmath>

namespace lyaplock {

namespace {

template <class T>
void check(Transformer& model, std::size_t layer, ConstMatrixView<T> matrix) {
  const ModelDescription& description = model.description();
  const ConstMatrixView<float> due(nullptr, description.width, description.feed_forward_width);
  if (matrix.rows != due.rows || matrix.cols != due.cols)
    throw Error(ErrorCode::shape, "The down-projection of layer " + std::to_string(layer) + " is " + shape_of(due) +
                                      "; received " + shape_of(matrix));
}

void check_finite(Transformer& model, std::size_t layer, ConstMatrixView<float> weight) {
  if (!model.backend().all_finite(weight))
    throw Error(ErrorCode::not_finite,
                "The new weight of layer " + std::to_string(layer) + " would hold NaN or infinity; it was not set");
}

}  // namespace

void set_drift(Transformer& model, std::size_t layer, ConstMatrixView<double> drift) {
  check(model, layer, drift);
  Matrix<float> weight(model.backend(), drift.rows, drift.cols);
  model.backend().add_rounded(model.weights().original_down(layer).view, drift, weight);
  set_weight(model, layer, weight);
}

void set_weight(Transformer& model, std::size_t layer, ConstMatrixView<float> weight) {
  check(model, layer, weight);
  check_finite(model, layer, weight);
  model.backend().copy(weight, model.weights().editable_down(layer));
}

WeightChange weight_change_of(Transformer& model, std::size_t layer) {
  Backend& backend = model.backend();
  const ReadableWeight original_weight = model.weights().original_down(layer), weight = model.weights().down(layer);
  const ConstMatrixView<float> original = original_weight.view, current = weight.view;
  WeightChange change{.norm = 0,
                      .original_norm = std::sqrt(backend.dot(original, original)),
                      .changed = 0,
                      .elements = original.size()};
  if (!model.weights().edited(layer)) return change;
  Matrix<float> difference(backend, original.rows, original.cols);
  backend.copy(current, difference);
  backend.add_scaled(-1.0F, original, difference);
  change.norm = std::sqrt(backend.dot(difference.view(), difference.view()));
  for (const float element : download<float>(backend, difference.view()))
    if (element != 0) ++change.changed;
  return change;
}

}  // namespace lyaplock
