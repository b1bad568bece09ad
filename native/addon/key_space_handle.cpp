#include "addon/key_space_handle.h"

#include "addon/arguments.h"
#include "addon/matrix_handle.h"

namespace lyaplock::addon {

Napi::Function KeySpaceHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeKeySpace",
      {InstanceAccessor<&KeySpaceHandle::width>("width"), InstanceAccessor<&KeySpaceHandle::rank>("rank"),
       InstanceAccessor<&KeySpaceHandle::condition>("condition"), InstanceAccessor<&KeySpaceHandle::bytes>("bytes"),
       InstanceAccessor<&KeySpaceHandle::smallest_pivot>("smallestPivot"),
       InstanceAccessor<&KeySpaceHandle::largest_pivot>("largestPivot"),
       InstanceAccessor<&KeySpaceHandle::ridge>("ridge"), InstanceMethod<&KeySpaceHandle::whiten>("whiten"),
       InstanceMethod<&KeySpaceHandle::lift>("lift"), InstanceMethod<&KeySpaceHandle::factor>("factor"),
       InstanceMethod<&KeySpaceHandle::drift_loss>("driftLoss"), dispose_method()});
}

Napi::Value KeySpaceHandle::width(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->width()));
}

Napi::Value KeySpaceHandle::rank(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->rank()));
}

Napi::Value KeySpaceHandle::condition(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), native(info.Env())->condition());
}

Napi::Value KeySpaceHandle::bytes(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->bytes()));
}

Napi::Value KeySpaceHandle::smallest_pivot(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), native(info.Env())->smallest_pivot());
}

Napi::Value KeySpaceHandle::largest_pivot(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), native(info.Env())->largest_pivot());
}

Napi::Value KeySpaceHandle::ridge(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), native(info.Env())->ridge());
}

Napi::Value KeySpaceHandle::whiten(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [space = native(info.Env()), keys = MatrixHandle::unwrap(info.Env(), info[0])] {
        Matrix<double> storage;
        return space->whiten(keys->as_doubles(storage));
      },
      give_doubles);
}

Napi::Value KeySpaceHandle::lift(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [space = native(info.Env()), whitened = MatrixHandle::unwrap(info.Env(), info[0])] {
        Matrix<double> storage;
        return space->lift(whitened->as_doubles(storage));
      },
      give_doubles);
}

Napi::Value KeySpaceHandle::drift_loss(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [space = native(info.Env()), drift = MatrixHandle::unwrap(info.Env(), info[0])] {
        Matrix<double> storage;
        return space->drift_loss(drift->as_doubles(storage));
      },
      to_number);
}

Napi::Value KeySpaceHandle::factor(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr, [space = native(info.Env())] { return space->factor(); }, give_doubles);
}

Napi::Value create_key_space(const Napi::CallbackInfo& info) {
  const double ridge = number(info[1], "ridge");
  return promise(
      info.Env(), nullptr,
      [covariance = MatrixHandle::unwrap(info.Env(), info[0]), ridge] {
        Matrix<double> storage;
        return KeySpace::from_covariance(covariance->backend, covariance->as_doubles(storage), ridge);
      },
      KeySpaceHandle::wrap);
}

Napi::Value create_key_space_from_factor(const Napi::CallbackInfo& info) {
  const double ridge = number(info[1], "ridge");
  return promise(
      info.Env(), nullptr,
      [factor = MatrixHandle::unwrap(info.Env(), info[0]), ridge] {
        Matrix<double> storage;
        return KeySpace::from_factor(factor->backend, factor->as_doubles(storage), ridge);
      },
      KeySpaceHandle::wrap);
}

Napi::Value create_null_space(const Napi::CallbackInfo& info) {
  const double threshold = number(info[1], "threshold");
  return promise(
      info.Env(), nullptr,
      [covariance = MatrixHandle::unwrap(info.Env(), info[0]), threshold] {
        Matrix<double> storage;
        return KeySpace::from_null_space(covariance->backend, covariance->as_doubles(storage), threshold);
      },
      KeySpaceHandle::wrap);
}

}  // namespace lyaplock::addon
