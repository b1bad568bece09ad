// NativeKeySpace of src/native/addon.ts.
#pragma once

#include "addon/handle.h"
#include "edit/key_space.h"

namespace lyaplock::addon {

class KeySpaceHandle final : public Handle<KeySpaceHandle, const KeySpace> {
 public:
  static constexpr const char* kName = "key space";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 4};
  using Handle::Handle;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.key_space; }
  static Napi::Function define(Napi::Env env);

 private:
  Napi::Value width(const Napi::CallbackInfo& info);
  Napi::Value rank(const Napi::CallbackInfo& info);
  Napi::Value condition(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value smallest_pivot(const Napi::CallbackInfo& info);
  Napi::Value largest_pivot(const Napi::CallbackInfo& info);
  Napi::Value ridge(const Napi::CallbackInfo& info);
  Napi::Value whiten(const Napi::CallbackInfo& info);
  Napi::Value lift(const Napi::CallbackInfo& info);
  Napi::Value drift_loss(const Napi::CallbackInfo& info);
  Napi::Value factor(const Napi::CallbackInfo& info);
};

/// createKeySpace(covariance, ridge), createKeySpaceFromFactor(factor, ridge), createNullSpace(covariance, threshold)
Napi::Value create_key_space(const Napi::CallbackInfo& info);
Napi::Value create_key_space_from_factor(const Napi::CallbackInfo& info);
Napi::Value create_null_space(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
