// JavaScript objects that hold a native one.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "addon/addon_data.h"
#include "addon/promise.h"

namespace lyaplock::addon {

/// Base of the addon's classes. The native object is shared: work under way keeps it alive after `dispose`. `Derived`
/// names itself with `kName`, tags its objects with `kTag` so that no foreign object is taken for one, and finds its
/// constructor with `constructor(AddonData&)`.
template <class Derived, class Native>
class Handle : public Napi::ObjectWrap<Derived> {
 public:
  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Derived>(info) {
    if (info.Length() != 1 || !info[0].IsExternal())
      throw to_javascript(info.Env(), name_of(ErrorCode::invalid_argument),
                          std::string(Derived::kName) + " objects are made by the addon's functions alone");
    native_ = *info[0].template As<Napi::External<std::shared_ptr<Native>>>().Data();
    info.This().template As<Napi::Object>().TypeTag(&Derived::kTag);
  }

  static Napi::Value wrap(Napi::Env env, std::shared_ptr<Native> native) {
    return Derived::constructor(AddonData::of(env)).New({Napi::External<std::shared_ptr<Native>>::New(env, &native)});
  }

  /// The native object of an argument; a JavaScript exception if it is of another kind, or disposed of.
  static std::shared_ptr<Native> unwrap(Napi::Env env, const Napi::Value& value) {
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&Derived::kTag))
      throw to_javascript(env, name_of(ErrorCode::invalid_argument), std::string("Expected a ") + Derived::kName);
    return Derived::Unwrap(value.As<Napi::Object>())->native(env);
  }

  [[nodiscard]] std::shared_ptr<Native> native(Napi::Env env) const {
    if (!native_)
      throw to_javascript(env, name_of(ErrorCode::invalid_argument),
                          std::string("This ") + Derived::kName + " was disposed of");
    return native_;
  }

  /// For `DefineClass`.
  static auto dispose_method() {
    using Method = Napi::Value (Derived::*)(const Napi::CallbackInfo&);
    return Derived::InstanceMethod("dispose", static_cast<Method>(&Derived::dispose));
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) {
    // The last owner frees gigabytes perhaps; that is the executor's work, not JavaScript's.
    if (native_) promise(info.Env(), nullptr, [native = std::move(native_)]() mutable { native.reset(); });
    native_.reset();
    return info.Env().Undefined();
  }

 private:
  std::shared_ptr<Native> native_;
};

}  // namespace lyaplock::addon
