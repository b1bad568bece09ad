// NativeSecondMoment of src/native/addon.ts.
#pragma once

#include "addon/handle.h"
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
  Napi::Value precision(const Napi::CallbackInfo& info);
  Napi::Value add(const Napi::CallbackInfo& info);
  Napi::Value merge(const Napi::CallbackInfo& info);
  Napi::Value sum(const Napi::CallbackInfo& info);
  Napi::Value mean(const Napi::CallbackInfo& info);
};

/// createSecondMoment(width, precision)
Napi::Value create_second_moment(const Napi::CallbackInfo& info);
/// createSecondMomentFromSum(sum, count, precision)
Napi::Value create_second_moment_from_sum(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
