#include "addon/blas_measurement.h"

#include "addon/arguments.h"
#include "addon/promise.h"
#include "backend/measure_blas.h"

namespace lyaplock::addon {

namespace {

BlasOperation operation_of(Napi::Env env, const std::string& name) {
  if (name == "gemm") return BlasOperation::gemm;
  if (name == "syrk") return BlasOperation::syrk;
  if (name == "potrf") return BlasOperation::potrf;
  if (name == "trsm") return BlasOperation::trsm;
  throw to_javascript(env, name_of(ErrorCode::invalid_argument), "operation must be gemm, syrk, potrf or trsm");
}

Precision precision_of(Napi::Env env, const std::string& name) {
  if (name == "float32") return Precision::float32;
  if (name == "float64") return Precision::float64;
  throw to_javascript(env, name_of(ErrorCode::invalid_argument), "precision must be float32 or float64");
}

/// A size that the operation may not need: zero where it is left out.
std::size_t size_of(const Napi::Object& problem, const char* name) {
  const Napi::Value value = problem.Get(name);
  return value.IsUndefined() ? 0 : count(value, name);
}

}  // namespace

Napi::Value run_measure_blas(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object object = addon::object(info[0], "problem");
  const BlasProblem problem{.operation = operation_of(env, text(object.Get("operation"), "operation")),
                            .precision = precision_of(env, text(object.Get("precision"), "precision")),
                            .rows = size_of(object, "rows"),
                            .columns = size_of(object, "columns"),
                            .inner = size_of(object, "inner")};
  return promise(
      env, nullptr, [problem] { return measure_blas(*process_backend(), problem, process_threads()); },
      [](Napi::Env result_env, const BlasSpeed& speed) -> Napi::Value {
        Napi::Object result = Napi::Object::New(result_env);
        result.Set("library", speed.library_seconds);
        result.Set("ours", speed.our_seconds);
        result.Set("flops", speed.flops);
        return result;
      });
}

}  // namespace lyaplock::addon
