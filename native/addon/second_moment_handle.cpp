#include "addon/second_moment_handle.h"

#include "addon/arguments.h"
#include "addon/matrix_handle.h"

namespace lyaplock::addon {

Napi::Function SecondMomentHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeSecondMoment",
      {InstanceAccessor<&SecondMomentHandle::width>("width"), InstanceAccessor<&SecondMomentHandle::count>("count"),
       InstanceMethod<&SecondMomentHandle::add>("add"), InstanceMethod<&SecondMomentHandle::merge>("merge"),
       InstanceMethod<&SecondMomentHandle::mean>("mean"), dispose_method()});
}

Napi::Value SecondMomentHandle::width(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->width()));
}

Napi::Value SecondMomentHandle::count(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->count()));
}

Napi::Value SecondMomentHandle::add(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr, [moment = native(info.Env()), keys = MatrixHandle::unwrap(info.Env(), info[0])] {
    std::visit([&](const auto& matrix) { moment->add(matrix.view()); }, keys->values);
  });
}

Napi::Value SecondMomentHandle::merge(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr,
                 [moment = native(info.Env()), other = unwrap(info.Env(), info[0])] { moment->merge(*other); });
}

Napi::Value SecondMomentHandle::mean(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr, [moment = native(info.Env())] { return moment->mean(); }, give_doubles);
}

Napi::Value create_second_moment(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [width = count(info[0], "width")] { return std::make_shared<SecondMoment>(process_backend(), width); },
      SecondMomentHandle::wrap);
}

}  // namespace lyaplock::addon
