#include "addon/matrix_handle.h"

#include <algorithm>

#include "addon/arguments.h"
#include "addon/external_array.h"

namespace lyaplock::addon {

namespace {

/// Large results are not copied on JavaScript's thread, where that can be avoided.
template <class T>
Napi::Value give_values(Napi::Env env, std::vector<T> values) {
  const auto owner = std::make_shared<std::vector<T>>(std::move(values));
  if (const auto array = external_array<T>(env, {owner, owner->data()}, owner->size())) return *array;
  auto copy = Napi::TypedArrayOf<T>::New(env, owner->size());
  std::copy(owner->begin(), owner->end(), copy.Data());
  return copy;
}

template <class T, class Source>
Matrix<T> converted(Backend& backend, const Matrix<Source>& source) {
  Matrix<T> out(backend, source.rows(), source.cols());
  backend.convert(source.view(), out.view());
  return out;
}

/// Copies rows that begin `stride` values apart.
template <class T>
Matrix<T> upload_rows(Backend& backend, std::span<const T> values, std::size_t rows, std::size_t cols,
                      std::size_t stride) {
  if (stride < cols)
    throw Error(ErrorCode::shape,
                "A stride of " + std::to_string(stride) + " is less than " + std::to_string(cols) + " columns");
  const bool fit = rows == 0 || (cols <= values.size() && (stride == 0 || rows - 1 <= (values.size() - cols) / stride));
  if (!fit)
    throw Error(ErrorCode::shape, std::to_string(rows) + " rows of " + std::to_string(cols) + " values, " +
                                      std::to_string(stride) + " apart, do not fit into " +
                                      std::to_string(values.size()) + " values");
  Matrix<T> matrix(backend, rows, cols);
  for (std::size_t i = 0; i < rows; ++i)
    backend.upload(matrix.view().row(i), values.data() + i * stride, cols * sizeof(T));
  return matrix;
}

}  // namespace

std::size_t AnyMatrix::rows() const {
  return std::visit([](const auto& matrix) { return matrix.rows(); }, values);
}
std::size_t AnyMatrix::cols() const {
  return std::visit([](const auto& matrix) { return matrix.cols(); }, values);
}
std::size_t AnyMatrix::bytes() const {
  return std::visit([](const auto& matrix) { return matrix.bytes(); }, values);
}

ConstMatrixView<float> AnyMatrix::as_floats(Matrix<float>& storage) const {
  if (const auto* floats = std::get_if<Matrix<float>>(&values)) return floats->view();
  storage = converted<float>(*backend, std::get<Matrix<double>>(values));
  return storage.view();
}

ConstMatrixView<double> AnyMatrix::as_doubles(Matrix<double>& storage) const {
  if (const auto* doubles = std::get_if<Matrix<double>>(&values)) return doubles->view();
  storage = converted<double>(*backend, std::get<Matrix<float>>(values));
  return storage.view();
}

std::vector<float> AnyMatrix::to_host_floats() const {
  Matrix<float> storage;
  return download<float>(*backend, as_floats(storage));
}

std::vector<double> AnyMatrix::to_host_doubles() const {
  Matrix<double> storage;
  return download<double>(*backend, as_doubles(storage));
}

MatrixHandle::MatrixHandle(const Napi::CallbackInfo& info) : Handle(info) {
  reported_bytes_ = static_cast<std::int64_t>(native(info.Env())->bytes());
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), reported_bytes_);
}

void MatrixHandle::Finalize(Napi::Env env) { Napi::MemoryManagement::AdjustExternalMemory(env, -reported_bytes_); }

Napi::Function MatrixHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeMatrix",
      {InstanceAccessor<&MatrixHandle::rows>("rows"), InstanceAccessor<&MatrixHandle::cols>("cols"),
       InstanceAccessor<&MatrixHandle::type>("type"), InstanceMethod<&MatrixHandle::to_float32_array>("toFloat32Array"),
       InstanceMethod<&MatrixHandle::to_float64_array>("toFloat64Array"), InstanceMethod<&MatrixHandle::view>("view"),
       dispose_method()});
}

Napi::Value MatrixHandle::rows(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(native(info.Env())->rows()));
}

Napi::Value MatrixHandle::cols(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(native(info.Env())->cols()));
}

Napi::Value MatrixHandle::type(const Napi::CallbackInfo& info) {
  const bool single = std::holds_alternative<Matrix<float>>(native(info.Env())->values);
  return Napi::String::New(info.Env(), single ? "float32" : "float64");
}

Napi::Value MatrixHandle::to_float32_array(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr, [matrix = native(info.Env())] { return matrix->to_host_floats(); },
      [](Napi::Env env, std::vector<float> values) { return give_values(env, std::move(values)); });
}

Napi::Value MatrixHandle::to_float64_array(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr, [matrix = native(info.Env())] { return matrix->to_host_doubles(); },
      [](Napi::Env env, std::vector<double> values) { return give_values(env, std::move(values)); });
}

Napi::Value MatrixHandle::view(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!native(env)->backend->shares_host_memory()) return env.Undefined();
  return std::visit(
      [&]<class T>(const Matrix<T>& matrix) -> Napi::Value {
        const auto array = external_array<T>(env, matrix.memory(), matrix.view().size());
        return array ? Napi::Value(*array) : env.Undefined();
      },
      native(env)->values);
}

namespace {

template <class T>
Napi::Value allocate(Napi::Env env, std::size_t rows, std::size_t cols) {
  return promise(
      env, nullptr,
      [rows, cols] {
        const std::shared_ptr<Backend> backend = process_backend();
        Matrix<T> matrix(*backend, rows, cols);
        backend->fill(T{0}, matrix);
        return matrix;
      },
      [](Napi::Env e, Matrix<T> matrix) { return MatrixHandle::give(e, process_backend(), std::move(matrix)); });
}

}  // namespace

Napi::Value allocate_matrix(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::size_t rows = count(info[0], "rows"), cols = count(info[1], "cols");
  const std::string type = text(info[2], "type");
  if (type == "float32") return allocate<float>(env, rows, cols);
  if (type == "float64") return allocate<double>(env, rows, cols);
  throw to_javascript(env, name_of(ErrorCode::invalid_argument),
                      "type must be \"float32\" or \"float64\"; received \"" + type + "\"");
}

Napi::Value create_matrix(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::size_t rows = count(info[1], "rows"), cols = count(info[2], "cols");
  const bool dense = info.Length() < 4 || info[3].IsUndefined();
  const std::size_t stride = dense ? cols : count(info[3], "stride");
  return with_javascript_errors(env, [&]() -> Napi::Value {
    if (!info[0].IsTypedArray())
      throw Error(ErrorCode::invalid_argument, "values must be a Float32Array or a Float64Array");
    const std::shared_ptr<Backend> backend = process_backend();
    switch (info[0].As<Napi::TypedArray>().TypedArrayType()) {
      case napi_float32_array: {
        const auto array = info[0].As<Napi::Float32Array>();
        const std::span<const float> values(array.Data(), array.ElementLength());
        return MatrixHandle::give(env, backend,
                                  dense ? upload<float>(*backend, values, rows, cols)
                                        : upload_rows<float>(*backend, values, rows, cols, stride));
      }
      case napi_float64_array: {
        const auto array = info[0].As<Napi::Float64Array>();
        const std::span<const double> values(array.Data(), array.ElementLength());
        return MatrixHandle::give(env, backend,
                                  dense ? upload<double>(*backend, values, rows, cols)
                                        : upload_rows<double>(*backend, values, rows, cols, stride));
      }
      default: throw Error(ErrorCode::invalid_argument, "values must be a Float32Array or a Float64Array");
    }
  });
}

}  // namespace lyaplock::addon
