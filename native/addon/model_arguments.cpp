#include "addon/model_arguments.h"

#include "addon/arguments.h"
#include "addon/promise.h"

namespace lyaplock::addon {

namespace {

RotaryPositions rotary_positions(const Napi::Value& value) {
  const Napi::Object object = addon::object(value, "rotary");
  const auto real = [&](const char* name) { return number(object.Get(name), name); };
  RotaryPositions rotary{.width = count(object.Get("width"), "rotary.width"), .base = real("base")};
  const std::string scaling = text(object.Get("scaling"), "rotary.scaling");
  if (scaling == "none") return rotary;
  rotary.factor = real("factor");
  if (scaling == "linear") {
    rotary.scaling = RotaryScaling::linear;
  } else if (scaling == "llama3") {
    rotary.scaling = RotaryScaling::llama3;
    rotary.low_frequency_factor = real("lowFrequencyFactor");
    rotary.high_frequency_factor = real("highFrequencyFactor");
    rotary.original_positions = count(object.Get("originalPositions"), "rotary.originalPositions");
  } else {
    throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument), "There is no rotary scaling " + scaling);
  }
  return rotary;
}

ValuePlace value_place(const Napi::Value& value) {
  const std::string place = text(value, "place");
  if (place == "block") return ValuePlace::block_output;
  if (place == "feed-forward") return ValuePlace::feed_forward_output;
  throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument), "There is no place " + place + " for values");
}

}  // namespace

ModelDescription model_description(const Napi::Value& value) {
  const Napi::Object object = addon::object(value, "The model description");
  const auto size = [&](const char* name) { return count(object.Get(name), name); };
  const auto flag = [&](const char* name) { return boolean(object.Get(name), name); };
  const std::string activation = text(object.Get("activation"), "activation");
  ModelDescription model{.family = text(object.Get("family"), "family"),
                         .layers = size("layers"),
                         .width = size("width"),
                         .heads = size("heads"),
                         .key_value_heads = size("keyValueHeads"),
                         .head_width = size("headWidth"),
                         .feed_forward_width = size("feedForwardWidth"),
                         .vocabulary = size("vocabulary"),
                         .positions = size("positions"),
                         .norm_epsilon = static_cast<float>(number(object.Get("normEpsilon"), "normEpsilon")),
                         .tied_head = flag("tiedHead"),
                         .rotary = rotary_positions(object.Get("rotary")),
                         .activation = Activation::silu,
                         .attention_bias = flag("attentionBias"),
                         .attention_output_bias = flag("attentionOutputBias"),
                         .feed_forward_bias = flag("feedForwardBias"),
                         .head_bias = flag("headBias"),
                         .head_norms = flag("headNorms")};
  if (activation == "gelu_tanh")
    model.activation = Activation::gelu_tanh;
  else if (activation == "gelu")
    model.activation = Activation::gelu_exact;
  else if (activation != "silu")
    throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument), "There is no activation " + activation);
  return model;
}

std::vector<Label> labels(const Napi::Object& object) {
  const auto sequences = integers(object.Get("labelSequences"), "labelSequences");
  const auto positions = integers(object.Get("labelPositions"), "labelPositions");
  const auto tokens = integers(object.Get("labelTokens"), "labelTokens");
  if (sequences.size() != positions.size() || sequences.size() != tokens.size())
    throw to_javascript(object.Env(), name_of(ErrorCode::shape), "The three lists of labels must be of one length");
  std::vector<Label> labels;
  for (std::size_t i = 0; i < sequences.size(); ++i) labels.push_back({sequences[i], positions[i], tokens[i]});
  return labels;
}

ValuePrompts value_prompts(const Napi::Value& value) {
  const Napi::Object object = addon::object(value, "The prompts");
  ValuePrompts prompts{.batch = token_batch(object.Get("batch")),
                       .facts = integers(object.Get("facts"), "facts"),
                       .lookups = integers(object.Get("lookups"), "lookups"),
                       .labels = {},
                       .bare = integers(object.Get("bare"), "bare")};
  prompts.labels = labels(object);
  return prompts;
}

ValueOptions value_options(const Napi::Object& object) {
  const auto real = [&](const char* name) { return static_cast<float>(number(object.Get(name), name)); };
  return {.layer = count(object.Get("layer"), "layer"),
          .place = value_place(object.Get("place")),
          .steps = count(object.Get("steps"), "steps"),
          .learning_rate = real("learningRate"),
          .weight_decay = real("weightDecay"),
          .kl_factor = real("klFactor"),
          .clamp_norm_factor = real("clampNormFactor"),
          .stop_loss = real("stopLoss")};
}

KeyPrompts key_prompts(const Napi::Value& value) {
  const Napi::Object object = addon::object(value, "The prompts");
  return {.batch = token_batch(object.Get("batch")),
          .facts = integers(object.Get("facts"), "facts"),
          .shares = floats(object.Get("shares"), "shares"),
          .bare = integers(object.Get("bare"), "bare")};
}

}  // namespace lyaplock::addon
