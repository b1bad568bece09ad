#include "addon/arguments.h"
#include "addon/matrix_handle.h"
#include "addon/model_handle.h"

namespace lyaplock::addon {

Napi::Function KeyPassHandle::define(Napi::Env env) {
  return DefineClass(env, "NativeKeyPass",
                     {InstanceMethod<&KeyPassHandle::keys>("keys"), InstanceMethod<&KeyPassHandle::outputs>("outputs"),
                      dispose_method()});
}

Napi::Value KeyPassHandle::keys(const Napi::CallbackInfo& info) {
  const std::size_t layer = count(info[0], "layer");
  const std::shared_ptr<Cancellation> token = cancellation(info, 1);
  return promise(
      info.Env(), token, [owned = native(info.Env()), layer, token] { return owned->pass.keys(layer, *token); },
      [](Napi::Env env, Matrix<double> keys) { return MatrixHandle::give(env, process_backend(), std::move(keys)); });
}

Napi::Value KeyPassHandle::outputs(const Napi::CallbackInfo& info) {
  const std::size_t layer = count(info[0], "layer");
  const std::shared_ptr<Cancellation> token = cancellation(info, 1);
  return promise(
      info.Env(), token, [owned = native(info.Env()), layer, token] { return owned->pass.outputs(layer, *token); },
      [](Napi::Env env, Matrix<double> outputs) {
        return MatrixHandle::give(env, process_backend(), std::move(outputs));
      });
}

}  // namespace lyaplock::addon
