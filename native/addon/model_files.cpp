// What a model writes to files and takes from them, once it is loaded.
#include "addon/arguments.h"
#include "addon/matrix_handle.h"
#include "addon/model_handle.h"
#include "format/data_type.h"
#include "model/delta_file.h"

namespace lyaplock::addon {

namespace {

/// "F32", or nothing for undefined.
std::optional<DataType> data_type(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  const std::string name = text(value, "type");
  const std::optional<DataType> type = data_type_named(name);
  if (!type)
    throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument), "There is no type of tensors " + name);
  return type;
}

DeltaDirection direction(const Napi::Value& value) {
  const std::string name = text(value, "direction");
  if (name == "apply") return DeltaDirection::apply;
  if (name == "remove") return DeltaDirection::remove;
  throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument), "direction must be \"apply\" or \"remove\"");
}

}  // namespace

Napi::Value ModelHandle::save(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [model = native(info.Env()), directory = text(info[0], "directory"), type = data_type(info[1])] {
        return model->weights().save(directory, type);
      },
      [](Napi::Env env, const std::vector<SavedMatrix>& saved) -> Napi::Value {
        Napi::Array array = Napi::Array::New(env, saved.size());
        for (std::uint32_t i = 0; i < saved.size(); ++i) {
          Napi::Object object = Napi::Object::New(env);
          object.Set("layer", static_cast<double>(saved[i].layer));
          object.Set("type", name_of(saved[i].type));
          object.Set("was", name_of(saved[i].was));
          object.Set("rounding", saved[i].rounding);
          array.Set(i, object);
        }
        return array;
      });
}

Napi::Value ModelHandle::write_delta(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Transformer> model = native(env);
  const Napi::Object given = object(info[1], "layers");
  std::vector<std::size_t> layers;
  std::map<std::size_t, std::shared_ptr<AnyMatrix>> drifts;
  for (std::uint32_t i = 0; i < given.As<Napi::Array>().Length(); ++i) {
    const Napi::Object entry = object(given.Get(i), "A layer");
    layers.push_back(layer_argument(entry.Get("layer"), *model));
    const Napi::Value drift = entry.Get("drift");
    if (!drift.IsUndefined()) drifts.emplace(layers.back(), MatrixHandle::unwrap(env, drift));
  }
  return promise(env, nullptr,
                 [model, path = text(info[0], "path"), layers, drifts, metadata = string_map(info[2], "metadata")] {
                   std::map<std::size_t, Matrix<double>> storage;
                   std::map<std::size_t, ConstMatrixView<double>> views;
                   for (const auto& [layer, drift] : drifts) views.emplace(layer, drift->as_doubles(storage[layer]));
                   lyaplock::write_delta(*model, path, layers, views, metadata);
                 });
}

Napi::Value ModelHandle::change_by_delta(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr,
                 [model = native(info.Env()), path = text(info[0], "path"), direction = direction(info[1])] {
                   lyaplock::change_by_delta(*model, path, direction);
                 });
}

}  // namespace lyaplock::addon
