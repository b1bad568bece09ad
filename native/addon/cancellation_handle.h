// NativeCancellation of src/native/addon.ts.
#pragma once

#include "addon/handle.h"
#include "base/cancellation.h"

namespace lyaplock::addon {

class CancellationHandle final : public Handle<CancellationHandle, Cancellation> {
 public:
  static constexpr const char* kName = "cancellation";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 1};
  using Handle::Handle;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.cancellation; }
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeCancellation", {InstanceMethod<&CancellationHandle::cancel>("cancel")});
  }

 private:
  Napi::Value cancel(const Napi::CallbackInfo& info) {
    native(info.Env())->cancel();
    return info.Env().Undefined();
  }
};

}  // namespace lyaplock::addon
