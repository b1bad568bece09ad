#include "addon/tensor_files.h"

#include "addon/arguments.h"
#include "addon/matrix_handle.h"
#include "format/safetensors.h"

namespace lyaplock::addon {

namespace {

struct TensorFile {
  std::map<std::string, AnyMatrix> tensors;
  std::map<std::string, std::string> metadata;
};

template <class T>
Matrix<T> read_matrix(Backend& backend, const TensorInfo& tensor, std::size_t rows, std::size_t cols) {
  std::vector<T> values(tensor.elements());
  read_floats(tensor, std::span<T>(values));
  return upload<T>(backend, values, rows, cols);
}

TensorFile read_file(const std::string& path) {
  const std::shared_ptr<Backend> backend = process_backend();
  const auto file = SafetensorsFile::open(path);
  TensorFile content{{}, file->metadata()};
  for (const auto& [name, tensor] : file->tensors()) {
    // Leading dimensions become rows; a vector is one row.
    const std::size_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
    const std::size_t rows = cols == 0 ? 0 : tensor.elements() / cols;
    if (tensor.type == DataType::float64)
      content.tensors.emplace(name, AnyMatrix{backend, read_matrix<double>(*backend, tensor, rows, cols)});
    else
      content.tensors.emplace(name, AnyMatrix{backend, read_matrix<float>(*backend, tensor, rows, cols)});
  }
  return content;
}

void write_file(const std::string& path, const std::map<std::string, std::shared_ptr<AnyMatrix>>& tensors,
                const std::map<std::string, std::string>& metadata) {
  // On the CPU the matrix's own memory could be written; a copy costs little beside the disk and holds for any device.
  std::vector<std::vector<float>> floats;
  std::vector<std::vector<double>> doubles;
  std::vector<TensorToWrite> out;
  floats.reserve(tensors.size());
  doubles.reserve(tensors.size());
  for (const auto& [name, matrix] : tensors) {
    TensorToWrite tensor{name, DataType::float64, {matrix->rows(), matrix->cols()}, {}};
    if (std::holds_alternative<Matrix<float>>(matrix->values)) {
      tensor.type = DataType::float32;
      tensor.bytes = std::as_bytes(std::span(floats.emplace_back(matrix->to_host_floats())));
    } else {
      tensor.bytes = std::as_bytes(std::span(doubles.emplace_back(matrix->to_host_doubles())));
    }
    out.push_back(std::move(tensor));
  }
  write_safetensors(path, out, metadata);
}

}  // namespace

Napi::Value read_tensors(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr, [path = text(info[0], "path")] { return read_file(path); },
      [](Napi::Env env, TensorFile file) -> Napi::Value {
        Napi::Object tensors = Napi::Object::New(env), metadata = Napi::Object::New(env);
        for (auto& [name, matrix] : file.tensors)
          tensors.Set(name, MatrixHandle::wrap(env, std::make_shared<AnyMatrix>(std::move(matrix))));
        for (const auto& [key, value] : file.metadata) metadata.Set(key, value);
        Napi::Object content = Napi::Object::New(env);
        content.Set("tensors", tensors);
        content.Set("metadata", metadata);
        return content;
      });
}

Napi::Value read_metadata(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr, [path = text(info[0], "path")] { return SafetensorsFile::open(path)->metadata(); },
      [](Napi::Env env, const std::map<std::string, std::string>& metadata) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        for (const auto& [key, value] : metadata) object.Set(key, value);
        return object;
      });
}

Napi::Value write_tensors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::map<std::string, std::shared_ptr<AnyMatrix>> tensors;
  for (const auto& [key, value] : object(info[1], "tensors"))
    tensors.emplace(key.As<Napi::Value>().ToString().Utf8Value(),
                    MatrixHandle::unwrap(env, static_cast<Napi::Value>(value)));
  return promise(env, nullptr,
                 [path = text(info[0], "path"), tensors = std::move(tensors),
                  metadata = string_map(info[2], "metadata")] { write_file(path, tensors, metadata); });
}

}  // namespace lyaplock::addon
