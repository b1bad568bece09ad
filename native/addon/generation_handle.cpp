#include "addon/arguments.h"
#include "addon/model_handle.h"

namespace lyaplock::addon {

Napi::Function GenerationHandle::define(Napi::Env env) {
  return DefineClass(env, "NativeGeneration", {InstanceMethod<&GenerationHandle::step>("step"), dispose_method()});
}

Napi::Value GenerationHandle::step(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Cancellation> token = cancellation(info, 0);
  return promise(
      info.Env(), token, [owned = native(info.Env()), token] { return owned->generation.step(*token); },
      [](Napi::Env env, const Generation::Drawn& drawn) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("sequences", to_array(env, drawn.sequences));
        object.Set("tokens", to_array(env, drawn.tokens));
        return object;
      });
}

}  // namespace lyaplock::addon
