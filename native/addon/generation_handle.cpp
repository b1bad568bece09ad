#include "addon/arguments.h"
#include "addon/model_handle.h"

namespace lyaplock::addon {

Napi::Function GenerationHandle::define(Napi::Env env) {
  return DefineClass(env, "NativeGeneration",
                     {InstanceMethod<&GenerationHandle::step>("step"), InstanceMethod<&GenerationHandle::rate>("rate"),
                      dispose_method()});
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

Napi::Value GenerationHandle::rate(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Cancellation> token = cancellation(info, 2);
  return promise(
      info.Env(), token,
      [owned = native(info.Env()), continuations = token_batch(info[0]), after = integers(info[1], "after"), token] {
        return owned->generation.rate(continuations, after, *token);
      },
      [](Napi::Env env, const std::vector<float>& losses) -> Napi::Value { return to_array(env, losses); });
}

}  // namespace lyaplock::addon
