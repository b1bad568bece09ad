// NativeModel, NativeKeyPass and NativeGeneration of src/native/addon.ts.
#pragma once

#include "addon/handle.h"
#include "model/generation.h"
#include "model/key_pass.h"
#include "model/transformer.h"

namespace lyaplock::addon {

class ModelHandle final : public Handle<ModelHandle, Transformer> {
 public:
  static constexpr const char* kName = "model";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 6};
  using Handle::Handle;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.model; }
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value score(const Napi::CallbackInfo& info);
  Napi::Value begin_generation(const Napi::CallbackInfo& info);
  Napi::Value accumulate_moments(const Napi::CallbackInfo& info);
  Napi::Value optimize_values(const Napi::CallbackInfo& info);
  Napi::Value fine_tune(const Napi::CallbackInfo& info);
  Napi::Value begin_keys(const Napi::CallbackInfo& info);
  // tracing.cpp
  Napi::Value trace(const Napi::CallbackInfo& info);
  Napi::Value embedding_deviation(const Napi::CallbackInfo& info);
  Napi::Value weight(const Napi::CallbackInfo& info);
  Napi::Value original_weight(const Napi::CallbackInfo& info);
  Napi::Value bias(const Napi::CallbackInfo& info);
  Napi::Value original_bias(const Napi::CallbackInfo& info);
  Napi::Value set_drift(const Napi::CallbackInfo& info);
  Napi::Value set_weight(const Napi::CallbackInfo& info);
  Napi::Value set_bias(const Napi::CallbackInfo& info);
  Napi::Value weight_change(const Napi::CallbackInfo& info);
  // model_files.cpp
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value write_delta(const Napi::CallbackInfo& info);
  Napi::Value change_by_delta(const Napi::CallbackInfo& info);
};

/// An argument that must be one of the model's layers.
std::size_t layer_argument(const Napi::Value& value, const Transformer& model);

/// A pass together with the model it reads.
struct OwnedKeyPass {
  std::shared_ptr<Transformer> model;
  KeyPass pass;
};

class KeyPassHandle final : public Handle<KeyPassHandle, OwnedKeyPass> {
 public:
  static constexpr const char* kName = "key pass";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 7};
  using Handle::Handle;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.key_pass; }
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value keys(const Napi::CallbackInfo& info);
  Napi::Value outputs(const Napi::CallbackInfo& info);
};

/// A generation together with the model it runs.
struct OwnedGeneration {
  std::shared_ptr<Transformer> model;
  Generation generation;
};

class GenerationHandle final : public Handle<GenerationHandle, OwnedGeneration> {
 public:
  static constexpr const char* kName = "generation";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 8};
  using Handle::Handle;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.generation; }
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value rate(const Napi::CallbackInfo& info);
};

/// loadModel(description, files, cancellation)
Napi::Value load_model(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
