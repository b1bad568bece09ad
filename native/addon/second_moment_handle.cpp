#include "addon/second_moment_handle.h"

#include "addon/arguments.h"
#include "addon/matrix_handle.h"

namespace lyaplock::addon {

namespace {

MomentPrecision precision_of(const Napi::Value& value) {
  const std::string name = text(value, "precision");
  if (name == "float64") return MomentPrecision::float64;
  if (name == "float32") return MomentPrecision::float32;
  throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument),
                      "precision must be \"float64\" or \"float32\"; received \"" + name + "\"");
}

}  // namespace

Napi::Function SecondMomentHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeSecondMoment",
      {InstanceAccessor<&SecondMomentHandle::width>("width"), InstanceAccessor<&SecondMomentHandle::count>("count"),
       InstanceAccessor<&SecondMomentHandle::precision>("precision"), InstanceMethod<&SecondMomentHandle::add>("add"),
       InstanceMethod<&SecondMomentHandle::merge>("merge"), InstanceMethod<&SecondMomentHandle::sum>("sum"),
       InstanceMethod<&SecondMomentHandle::mean>("mean"), dispose_method()});
}

Napi::Value SecondMomentHandle::width(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->width()));
}

Napi::Value SecondMomentHandle::count(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->count()));
}

Napi::Value SecondMomentHandle::precision(const Napi::CallbackInfo& info) {
  const bool wide = native(info.Env())->precision() == MomentPrecision::float64;
  return Napi::String::New(info.Env(), wide ? "float64" : "float32");
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

Napi::Value SecondMomentHandle::sum(const Napi::CallbackInfo& info) {
  using Sum = std::pair<Matrix<double>, std::uint64_t>;
  return promise(
      info.Env(), nullptr, [moment = native(info.Env())] { return Sum(moment->sum(), moment->count()); },
      [](Napi::Env env, Sum sum) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("sum", give_doubles(env, std::move(sum.first)));
        object.Set("count", static_cast<double>(sum.second));
        return object;
      });
}

Napi::Value SecondMomentHandle::mean(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr, [moment = native(info.Env())] { return moment->mean(); }, give_doubles);
}

Napi::Value create_second_moment(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [width = count(info[0], "width"), precision = precision_of(info[1])] {
        return std::make_shared<SecondMoment>(process_backend(), width, precision);
      },
      SecondMomentHandle::wrap);
}

Napi::Value create_second_moment_from_sum(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [sum = MatrixHandle::unwrap(info.Env(), info[0]), keys = count(info[1], "count"),
       precision = precision_of(info[2])] {
        Matrix<double> storage;
        return SecondMoment::from_sum(process_backend(), sum->as_doubles(storage), keys, precision);
      },
      SecondMomentHandle::wrap);
}

}  // namespace lyaplock::addon
