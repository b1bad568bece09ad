// The drifts of a model's edited layers as a file.
#pragma once

#include <map>

#include "model/transformer.h"
#include "model/weight_delta.h"

namespace lyaplock {

/// Writes how the down-projections of `layers` differ from their originals as safetensors. Of layer i:
///
///     layer.<i>.difference                      I32 [m, d]: dense (weight_delta.h), or instead of it
///     layer.<i>.left, layer.<i>.right           F64 [m, r], [r, d]
///     layer.<i>.apply.places, …apply.bits       I32 [c] each
///     layer.<i>.remove.places, …remove.bits     I32 [c'] each
///     layer.<i>.bias.difference                 I32 [1, m], dense: where the bias was edited
///
/// `drifts` has float64 drifts [m, d] where they are known. ErrorCode::shape if one has another shape.
void write_delta(Transformer& model, const std::string& path, std::span<const std::size_t> layers,
                 const std::map<std::size_t, ConstMatrixView<double>>& drifts,
                 const std::map<std::string, std::string>& metadata);

/// Makes the original weights (and biases) of the file's layers the edited ones, or the other way round. Everything is
/// read and checked before anything is changed. ErrorCode::model_format for what no delta of this model is.
void change_by_delta(Transformer& model, const std::string& path, DeltaDirection direction);

}  // namespace lyaplock
