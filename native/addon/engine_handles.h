// NativeSecondMoment, NativeKeySpace and NativeLayerEditor of src/native/addon.ts.
#pragma once

#include "addon/handle.h"
#include "addon/matrix_handle.h"
#include "edit/layer_editor.h"
#include "edit/second_moment.h"

namespace lyaplock::addon {

class SecondMomentHandle final : public Handle<SecondMomentHandle, SecondMoment> {
 public:
  static constexpr const char* kName = "second moment";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 3};
  using Handle::Handle;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.second_moment; }
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value width(const Napi::CallbackInfo& info);
  Napi::Value count(const Napi::CallbackInfo& info);
  Napi::Value add(const Napi::CallbackInfo& info);
  Napi::Value merge(const Napi::CallbackInfo& info);
  Napi::Value mean(const Napi::CallbackInfo& info);
};

class KeySpaceHandle final : public Handle<KeySpaceHandle, const KeySpace> {
 public:
  static constexpr const char* kName = "key space";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 4};
  using Handle::Handle;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.key_space; }
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value width(const Napi::CallbackInfo& info);
  Napi::Value smallest_pivot(const Napi::CallbackInfo& info);
  Napi::Value largest_pivot(const Napi::CallbackInfo& info);
  Napi::Value ridge(const Napi::CallbackInfo& info);
  Napi::Value whiten(const Napi::CallbackInfo& info);
  Napi::Value lift(const Napi::CallbackInfo& info);
};

class LayerEditorHandle final : public Handle<LayerEditorHandle, LayerEditor> {
 public:
  static constexpr const char* kName = "layer editor";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 5};
  using Handle::Handle;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.layer_editor; }
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value facts(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value update(const Napi::CallbackInfo& info);
  Napi::Value drift(const Napi::CallbackInfo& info);
  Napi::Value last_batch(const Napi::CallbackInfo& info);
  Napi::Value replay(const Napi::CallbackInfo& info);
  Napi::Value replay_last(const Napi::CallbackInfo& info);
};

/// createSecondMoment(width), createKeySpace(covariance, ridge), createLayerEditor(keySpace, valueWidth),
/// residuals(values, outputs, layersLeft)
Napi::Value create_second_moment(const Napi::CallbackInfo& info);
Napi::Value create_key_space(const Napi::CallbackInfo& info);
Napi::Value create_layer_editor(const Napi::CallbackInfo& info);
Napi::Value compute_residuals(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
