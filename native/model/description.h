// What is known of a model before its weights are read.
#pragma once

#include <cstddef>
#include <string>

#include "backend/backend.h"

namespace lyaplock {

enum class Activation { silu, gelu_tanh, gelu_exact };

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
  double rotary_base;  // used by families with rotary positions
  Activation activation;

  /// ErrorCode::model_format, naming the number, unless all sizes are positive, the heads divide as they must and no
  /// product of two of them overflows.
  void validate() const;
};

}  // namespace lyaplock
