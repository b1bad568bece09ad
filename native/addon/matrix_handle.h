// NativeMatrix of src/native/addon.ts.
#pragma once

#include <variant>

#include "addon/handle.h"
#include "backend/matrix.h"

namespace lyaplock::addon {

/// A matrix of either precision, with the backend whose memory it is in.
struct AnyMatrix {
  std::shared_ptr<Backend> backend;
  std::variant<Matrix<float>, Matrix<double>> values;

  [[nodiscard]] std::size_t rows() const;
  [[nodiscard]] std::size_t cols() const;
  [[nodiscard]] std::size_t bytes() const;
  /// A view in the precision asked for; `storage` receives the converted values if the matrix has the other one.
  [[nodiscard]] ConstMatrixView<float> as_floats(Matrix<float>& storage) const;
  [[nodiscard]] ConstMatrixView<double> as_doubles(Matrix<double>& storage) const;
  [[nodiscard]] std::vector<float> to_host_floats() const;
  [[nodiscard]] std::vector<double> to_host_doubles() const;
};

class MatrixHandle final : public Handle<MatrixHandle, AnyMatrix> {
 public:
  static constexpr const char* kName = "matrix";
  static constexpr napi_type_tag kTag = {0x6c7961706c6f636bULL, 2};
  explicit MatrixHandle(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;
  static Napi::FunctionReference& constructor(AddonData& data) { return data.matrix; }
  static Napi::Function define(Napi::Env env);

  /// Hands a matrix to JavaScript.
  template <class T>
  static Napi::Value give(Napi::Env env, std::shared_ptr<Backend> backend, Matrix<T> matrix) {
    return wrap(env, std::make_shared<AnyMatrix>(AnyMatrix{std::move(backend), std::move(matrix)}));
  }

 private:
  Napi::Value rows(const Napi::CallbackInfo& info);
  Napi::Value cols(const Napi::CallbackInfo& info);
  Napi::Value type(const Napi::CallbackInfo& info);
  Napi::Value to_float32_array(const Napi::CallbackInfo& info);
  Napi::Value to_float64_array(const Napi::CallbackInfo& info);
  Napi::Value view(const Napi::CallbackInfo& info);

  std::int64_t reported_bytes_;  // to the garbage collector, which cannot see native memory
};

/// For `promise`: hands a result in the memory of the process's backend to JavaScript.
inline Napi::Value give_doubles(Napi::Env env, Matrix<double> matrix) {
  return MatrixHandle::give(env, process_backend(), std::move(matrix));
}

/// createMatrix(values, rows, cols, stride?), allocateMatrix(rows, cols, type)
Napi::Value create_matrix(const Napi::CallbackInfo& info);
Napi::Value allocate_matrix(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
