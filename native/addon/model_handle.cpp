#include "addon/model_handle.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "addon/arguments.h"
#include "addon/matrix_handle.h"
#include "addon/model_arguments.h"
#include "addon/second_moment_handle.h"
#include "model/fine_tuning.h"
#include "model/forward.h"
#include "model/values.h"
#include "model/weight_change.h"

namespace lyaplock::addon {

namespace {

WeightType weight_type(const Napi::Value& value) {
  const std::string type = text(value, "The type of weights");
  if (type == "f32") return WeightType::float32;
  if (type == "bf16") return WeightType::bfloat16;
  throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument), "Weights are not held as " + type);
}

FineTuningOptions fine_tuning_options(const Napi::Object& object) {
  const auto real = [&](const char* name) { return static_cast<float>(number(object.Get(name), name)); };
  return {.layer = count(object.Get("layer"), "layer"),
          .epochs = count(object.Get("epochs"), "epochs"),
          .batch_size = count(object.Get("batchSize"), "batchSize"),
          .learning_rate = real("learningRate"),
          .weight_decay = real("weightDecay"),
          .norm_constraint = object.Get("normConstraint").IsUndefined() ? std::numeric_limits<float>::infinity()
                                                                        : real("normConstraint"),
          .stop_loss = real("stopLoss")};
}

Napi::Value to_object(Napi::Env env, Values result) {
  std::vector<std::int32_t> iterations;
  std::vector<float> losses, likelihood, divergences;
  for (const ValueProgress& progress : result.progress) {
    iterations.push_back(progress.iterations);
    losses.push_back(progress.loss);
    likelihood.push_back(progress.likelihood_loss);
    divergences.push_back(progress.divergence);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("values", MatrixHandle::give(env, process_backend(), std::move(result.values)));
  object.Set("initial", MatrixHandle::give(env, process_backend(), std::move(result.initial)));
  object.Set("iterations", to_array(env, iterations));
  object.Set("losses", to_array(env, losses));
  object.Set("likelihoodLosses", to_array(env, likelihood));
  object.Set("divergences", to_array(env, divergences));
  if (!result.trajectories.empty()) {
    Napi::Array trajectories = Napi::Array::New(env, result.trajectories.size());
    for (std::size_t i = 0; i < result.trajectories.size(); ++i) {
      Napi::Object trajectory = Napi::Object::New(env);
      trajectory.Set("losses", to_array(env, result.trajectories[i].losses));
      trajectory.Set("gradients", to_array(env, result.trajectories[i].gradients));
      trajectory.Set("deltas", to_array(env, result.trajectories[i].deltas));
      trajectories.Set(static_cast<std::uint32_t>(i), trajectory);
    }
    object.Set("trajectories", trajectories);
  }
  return object;
}

Matrix<float> copy_of(const Transformer& model, ConstMatrixView<float> weight) {
  Matrix<float> copy(model.backend(), weight.rows, weight.cols);
  model.backend().copy(weight, copy);
  return copy;
}

Napi::Value give_floats(Napi::Env env, Matrix<float> matrix) {
  return MatrixHandle::give(env, process_backend(), std::move(matrix));
}

/// Null for an empty one.
Napi::Value give_if_any(Napi::Env env, Matrix<float> matrix) {
  return matrix.empty() ? env.Null() : give_floats(env, std::move(matrix));
}

}  // namespace

Napi::Function ModelHandle::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {InstanceMethod<&ModelHandle::logits>("logits"),
                      InstanceMethod<&ModelHandle::score>("score"),
                      InstanceMethod<&ModelHandle::begin_generation>("beginGeneration"),
                      InstanceMethod<&ModelHandle::accumulate_moments>("accumulateMoments"),
                      InstanceMethod<&ModelHandle::optimize_values>("optimizeValues"),
                      InstanceMethod<&ModelHandle::fine_tune>("fineTune"),
                      InstanceMethod<&ModelHandle::begin_keys>("beginKeys"),
                      InstanceMethod<&ModelHandle::trace>("trace"),
                      InstanceMethod<&ModelHandle::embedding_deviation>("embeddingDeviation"),
                      InstanceMethod<&ModelHandle::weight>("weight"),
                      InstanceMethod<&ModelHandle::original_weight>("originalWeight"),
                      InstanceMethod<&ModelHandle::bias>("bias"),
                      InstanceMethod<&ModelHandle::original_bias>("originalBias"),
                      InstanceMethod<&ModelHandle::set_bias>("setBias"),
                      InstanceMethod<&ModelHandle::set_drift>("setDrift"),
                      InstanceMethod<&ModelHandle::set_weight>("setWeight"),
                      InstanceMethod<&ModelHandle::weight_change>("weightChange"),
                      InstanceMethod<&ModelHandle::save>("save"),
                      InstanceMethod<&ModelHandle::write_delta>("writeDelta"),
                      InstanceMethod<&ModelHandle::change_by_delta>("changeByDelta"),
                      dispose_method()});
}

std::size_t layer_argument(const Napi::Value& value, const Transformer& model) {
  const std::size_t layer = count(value, "layer");
  if (layer >= model.description().layers)
    throw to_javascript(
        value.Env(), name_of(ErrorCode::invalid_argument),
        "There is no layer " + std::to_string(layer) + " in a model of " + std::to_string(model.description().layers));
  return layer;
}

Napi::Value ModelHandle::logits(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Cancellation> token = cancellation(info, 2);
  return promise(
      info.Env(), token,
      [model = native(info.Env()), batch = token_batch(info[0]), rows = integers(info[1], "rows"), token] {
        return logits_of(*model, batch, rows, *token);
      },
      give_floats);
}

Napi::Value ModelHandle::score(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Cancellation> token = cancellation(info, 3);
  return promise(
      info.Env(), token,
      [model = native(info.Env()), batch = token_batch(info[0]), rows = integers(info[1], "rows"),
       targets = integers(info[2], "targets"), token] { return lyaplock::score(*model, batch, rows, targets, *token); },
      [](Napi::Env env, const Scores& scores) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("losses", to_array(env, scores.losses));
        object.Set("greedy", to_array(env, scores.greedy));
        return object;
      });
}

Napi::Value ModelHandle::begin_generation(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const TokenBatch prompts = token_batch(info[0]);
  const Napi::Object given = object(info[1], "The options");
  const std::vector<std::int32_t> lengths = integers(given.Get("lengths"), "lengths");
  if (std::any_of(lengths.begin(), lengths.end(), [](std::int32_t length) { return length < 0; }))
    throw to_javascript(env, name_of(ErrorCode::invalid_argument), "A text cannot have a negative length");
  const GenerationOptions options{.lengths = {lengths.begin(), lengths.end()},
                                  .top_k = count(given.Get("topK"), "topK"),
                                  .seed = count(given.Get("seed"), "seed")};
  return with_javascript_errors(env, [&] {
    const std::shared_ptr<Transformer> model = native(env);
    return GenerationHandle::wrap(
        env, std::make_shared<OwnedGeneration>(OwnedGeneration{model, Generation(*model, prompts, options)}));
  });
}

Napi::Value ModelHandle::accumulate_moments(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<std::size_t> layers = counts(info[1], "layers");
  std::vector<std::shared_ptr<SecondMoment>> moments;
  const auto given = object(info[2], "moments");
  for (std::uint32_t i = 0; i < layers.size(); ++i) moments.push_back(SecondMomentHandle::unwrap(env, given.Get(i)));
  const std::shared_ptr<Cancellation> token = cancellation(info, 3);
  return promise(env, token,
                 [model = native(env), batch = token_batch(info[0]), layers, moments = std::move(moments), token] {
                   // Flushed, so that the sums after a batch do not depend on whether someone looks at them.
                   const auto take = [&](std::size_t i, ConstMatrixView<float> keys) {
                     moments[i]->add(keys);
                     moments[i]->flush();
                   };
                   for_each_key(*model, batch, layers, take, *token);
                 });
}

Napi::Value ModelHandle::optimize_values(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[1], "The options");
  const bool trajectory = boolean(given.Get("trajectory"), "trajectory");
  const std::shared_ptr<Cancellation> token = cancellation(info, 2);
  return promise(
      info.Env(), token,
      [model = native(info.Env()), prompts = value_prompts(info[0]), options = value_options(given), trajectory,
       token] { return lyaplock::optimize_values(*model, prompts, options, trajectory, *token); },
      [](Napi::Env env, Values values) { return to_object(env, std::move(values)); });
}

Napi::Value ModelHandle::fine_tune(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[0], "The prompts");
  TrainingPrompts prompts{.batch = token_batch(given.Get("batch")), .labels = labels(given)};
  const FineTuningOptions options = fine_tuning_options(object(info[1], "The options"));
  const std::shared_ptr<Cancellation> token = cancellation(info, 2);
  return promise(
      info.Env(), token,
      [model = native(info.Env()), prompts = std::move(prompts), options, token] {
        return lyaplock::fine_tune(*model, prompts, options, *token);
      },
      [](Napi::Env env, const FineTuningResult& result) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("epochs", static_cast<double>(result.epochs));
        object.Set("losses", to_array(env, result.losses));
        object.Set("factLosses", to_array(env, result.fact_losses));
        return object;
      });
}

Napi::Value ModelHandle::begin_keys(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  KeyPrompts prompts = key_prompts(info[0]);
  return with_javascript_errors(env, [&] {
    const std::shared_ptr<Transformer> model = native(env);
    return KeyPassHandle::wrap(
        env, std::make_shared<OwnedKeyPass>(OwnedKeyPass{model, KeyPass(*model, std::move(prompts))}));
  });
}

Napi::Value ModelHandle::weight(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Transformer> model = native(info.Env());
  const std::size_t layer = layer_argument(info[0], *model);
  return promise(
      info.Env(), nullptr, [model, layer] { return copy_of(*model, model->weights().down(layer).view); }, give_floats);
}

Napi::Value ModelHandle::original_weight(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Transformer> model = native(info.Env());
  const std::size_t layer = layer_argument(info[0], *model);
  return promise(
      info.Env(), nullptr, [model, layer] { return copy_of(*model, model->weights().original_down(layer).view); },
      give_floats);
}

Napi::Value ModelHandle::bias(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Transformer> model = native(info.Env());
  const std::size_t layer = layer_argument(info[0], *model);
  return promise(
      info.Env(), nullptr, [model, layer] { return copy_of(*model, model->weights().bias(layer)); }, give_if_any);
}

Napi::Value ModelHandle::original_bias(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Transformer> model = native(info.Env());
  const std::size_t layer = layer_argument(info[0], *model);
  return promise(
      info.Env(), nullptr, [model, layer] { return copy_of(*model, model->weights().original_bias(layer)); },
      give_if_any);
}

Napi::Value ModelHandle::set_drift(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Transformer> model = native(info.Env());
  const std::size_t layer = layer_argument(info[0], *model);
  return promise(info.Env(), nullptr, [model, layer, drift = MatrixHandle::unwrap(info.Env(), info[1])] {
    Matrix<double> storage;
    lyaplock::set_drift(*model, layer, drift->as_doubles(storage));
  });
}

Napi::Value ModelHandle::set_weight(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Transformer> model = native(info.Env());
  const std::size_t layer = layer_argument(info[0], *model);
  return promise(info.Env(), nullptr, [model, layer, weight = MatrixHandle::unwrap(info.Env(), info[1])] {
    Matrix<float> storage;
    lyaplock::set_weight(*model, layer, weight->as_floats(storage));
  });
}

Napi::Value ModelHandle::set_bias(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Transformer> model = native(info.Env());
  const std::size_t layer = layer_argument(info[0], *model);
  return promise(info.Env(), nullptr, [model, layer, bias = MatrixHandle::unwrap(info.Env(), info[1])] {
    Matrix<float> storage;
    lyaplock::set_bias(*model, layer, bias->as_floats(storage));
  });
}

Napi::Value ModelHandle::weight_change(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Transformer> model = native(info.Env());
  const std::size_t layer = layer_argument(info[0], *model);
  return promise(
      info.Env(), nullptr, [model, layer] { return weight_change_of(*model, layer); },
      [](Napi::Env env, const WeightChange& change) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("norm", change.norm);
        object.Set("originalNorm", change.original_norm);
        object.Set("changed", static_cast<double>(change.changed));
        object.Set("elements", static_cast<double>(change.elements));
        return object;
      });
}

Napi::Value load_model(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Cancellation> token = cancellation(info, 3);
  return promise(
      info.Env(), token,
      [model = model_description(info[0]), files = texts(info[1], "files"), type = weight_type(info[2]), token] {
        return std::shared_ptr<Transformer>(
            Transformer::load(process_backend(), model, files, type, process_threads(), *token));
      },
      ModelHandle::wrap);
}

}  // namespace lyaplock::addon
