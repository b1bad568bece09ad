// NativeLayerEditor of src/native/addon.ts.
#pragma once

#include "addon/handle.h"
#include "edit/layer_editor.h"

namespace lyaplock::addon {

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
  Napi::Value remember(const Napi::CallbackInfo& info);
  Napi::Value drift(const Napi::CallbackInfo& info);
  Napi::Value delta(const Napi::CallbackInfo& info);
  Napi::Value whitened_drift(const Napi::CallbackInfo& info);
  Napi::Value standing(const Napi::CallbackInfo& info);
  Napi::Value batch(const Napi::CallbackInfo& info);
  Napi::Value restore_chain(const Napi::CallbackInfo& info);
  Napi::Value replay(const Napi::CallbackInfo& info);
  Napi::Value restore_drift(const Napi::CallbackInfo& info);
};

/// createLayerEditor(keySpace, valueWidth, memory), residuals(values, outputs, layersLeft),
/// cheaperForm(shape, state, batch)
Napi::Value cheaper_form_of(const Napi::CallbackInfo& info);
/// updateFlops(shape, past, batch, form, bordered)
Napi::Value create_layer_editor(const Napi::CallbackInfo& info);
Napi::Value compute_residuals(const Napi::CallbackInfo& info);
Napi::Value update_flops(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
