// What is known of a model before its weights are read.
#pragma once

#include <cstddef>
#include <string>

#include "backend/backend.h"
#include "model/rotary_frequencies.h"

namespace lyaplock {

enum class Activation { silu, gelu_tanh, gelu_exact };
/// Of one that is not silu.
inline Gelu gelu_of(Activation activation) { return activation == Activation::gelu_tanh ? Gelu::tanh : Gelu::exact; }

/// The sizes of config.json, under one set of names for all families.
struct ModelDescription {
  std::string family;  // a row of families.cpp
  std::size_t layers;
  std::size_t width;  // m
  std::size_t heads;
  std::size_t key_value_heads;
  std::size_t head_width;
  std::size_t feed_forward_width;  // d
  std::size_t vocabulary;
  std::size_t positions;  // limit of a sequence's length
  float norm_epsilon;
  bool tied_head;
  RotaryPositions rotary;  // of families with rotary positions
  Activation activation;

  // Which linear maps have a bias.
  bool attention_bias;         // queries, keys and values
  bool attention_output_bias;  // the map of the attention's output
  bool feed_forward_bias;
  bool head_bias;
  bool head_norms;  // RMSNorm of the queries and keys of every head, before they are rotated

  /// ErrorCode::model_format, naming the number, unless all sizes are positive, the heads divide as they must and no
  /// product of two of them overflows.
  void validate() const;
};

}  // namespace lyaplock
