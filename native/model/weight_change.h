// Changing the edited weights of a model, and measuring by how much they were.
#pragma once

#include "model/transformer.h"

namespace lyaplock {

/// The down-projection becomes float32(original + drift): drift [m, d]. ErrorCode::shape for other sizes,
/// ErrorCode::not_finite if the sum overflows or is no number; the weight is then as it was.
void set_drift(Transformer& model, std::size_t layer, ConstMatrixView<double> drift);
/// The down-projection becomes `weight` [m, d]; errors likewise.
void set_weight(Transformer& model, std::size_t layer, ConstMatrixView<float> weight);
/// Its bias becomes `bias` [1, m]; errors likewise, and ErrorCode::invalid_argument where there is none.
void set_bias(Transformer& model, std::size_t layer, ConstMatrixView<float> bias);

/// Of a down-projection; its bias counts where that was edited too.
struct WeightChange {
  double norm;           // ||W - W0||, Frobenius
  double original_norm;  // ||W0||
  std::size_t changed;   // elements that differ
  std::size_t elements;
};
WeightChange weight_change_of(Transformer& model, std::size_t layer);

}  // namespace lyaplock
