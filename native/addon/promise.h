// From a C++ function to a JavaScript promise.
#pragma once

#include <napi.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "addon/addon_data.h"
#include "base/error.h"

namespace lyaplock::addon {

/// A JavaScript Error with `code`.
inline Napi::Error to_javascript(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

/// Throws a JavaScript exception in place of ours: for what is wrong before any work begins.
template <class Function>
auto with_javascript_errors(Napi::Env env, Function function) {
  try {
    return function();
  } catch (const Error& error) {
    throw to_javascript(env, name_of(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    throw to_javascript(env, name_of(ErrorCode::out_of_memory), "There is not enough memory");
  }
}

/// `work()` runs on the executor; what it returns goes to `convert(env, result)` on JavaScript's thread.
template <class Work, class Convert>
class PromiseTask final : public Task {
 public:
  using Result = decltype(std::declval<Work&>()());

  PromiseTask(Napi::Env env, Work work, Convert convert)
      : deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)), convert_(std::move(convert)) {}

  [[nodiscard]] Napi::Promise promise() const { return deferred_.Promise(); }

  void run() noexcept override {
    try {
      result_.emplace((*work_)());
    } catch (const Error& error) {
      code_ = name_of(error.code());
      message_ = error.what();
    } catch (const std::bad_alloc&) {
      code_ = name_of(ErrorCode::out_of_memory);
      message_ = "There is not enough memory";
    } catch (const std::exception& error) {
      code_ = name_of(ErrorCode::internal);
      message_ = error.what();
    } catch (...) {
      code_ = name_of(ErrorCode::internal);
      message_ = "An unknown exception";
    }
    work_.reset();  // frees what it held here rather than on JavaScript's thread
  }

  void finish(Napi::Env env) override {
    const Napi::HandleScope scope(env);
    if (!result_) {
      deferred_.Reject(to_javascript(env, code_, message_).Value());
      return;
    }
    try {
      deferred_.Resolve(convert_(env, std::move(*result_)));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::optional<Work> work_;
  Convert convert_;
  std::optional<Result> result_;
  const char* code_ = "";
  std::string message_;
};

/// Starts the work and returns its promise. Whatever `work` needs it owns: handles may be disposed of meanwhile.
template <class Work, class Convert>
Napi::Value promise(Napi::Env env, std::shared_ptr<Cancellation> cancellation, Work work, Convert convert) {
  auto task = std::make_unique<PromiseTask<Work, Convert>>(env, std::move(work), std::move(convert));
  const Napi::Promise result = task->promise();
  AddonData::of(env).executor->submit(std::move(task), std::move(cancellation));
  return result;
}

/// For work that returns nothing.
template <class Work>
Napi::Value promise(Napi::Env env, std::shared_ptr<Cancellation> cancellation, Work work) {
  auto returning = [work = std::move(work)]() mutable {
    work();
    return true;
  };
  return promise(env, std::move(cancellation), std::move(returning),
                 [](Napi::Env e, bool) -> Napi::Value { return e.Undefined(); });
}

}  // namespace lyaplock::addon
