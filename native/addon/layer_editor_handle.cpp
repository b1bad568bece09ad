#include "addon/layer_editor_handle.h"

#include "addon/arguments.h"
#include "addon/key_space_handle.h"
#include "addon/matrix_handle.h"
#include "edit/residuals.h"

namespace lyaplock::addon {

namespace {

Matrix<double> copy_of(Backend& backend, ConstMatrixView<double> source) {
  Matrix<double> copy(backend, source.rows, source.cols);
  backend.copy(source, copy);
  return copy;
}

UpdateForm update_form(const Napi::Value& value) {
  const std::string form = text(value, "form");
  if (form == "dual") return UpdateForm::dual;
  if (form == "primal") return UpdateForm::primal;
  throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument),
                      "form must be \"dual\" or \"primal\"; received \"" + form + "\"");
}

Napi::Value to_object(Napi::Env env, const UpdateReport& report) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("preservationLoss", report.preservation_loss);
  object.Set("updateNorm", report.update_norm);
  object.Set("residualNorm", report.residual_norm);
  object.Set("solveResidual", report.solve_residual);
  object.Set("form", report.form == UpdateForm::dual ? "dual" : "primal");
  object.Set("flops", report.flops);
  return object;
}

}  // namespace

Napi::Function LayerEditorHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeLayerEditor",
      {InstanceAccessor<&LayerEditorHandle::facts>("facts"), InstanceAccessor<&LayerEditorHandle::bytes>("bytes"),
       InstanceMethod<&LayerEditorHandle::update>("update"), InstanceMethod<&LayerEditorHandle::drift>("drift"),
       InstanceMethod<&LayerEditorHandle::last_batch>("lastBatch"),
       InstanceMethod<&LayerEditorHandle::replay>("replay"),
       InstanceMethod<&LayerEditorHandle::replay_last>("replayLast"), dispose_method()});
}

Napi::Value LayerEditorHandle::facts(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->ledger().facts()));
}

Napi::Value LayerEditorHandle::bytes(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->bytes()));
}

Napi::Value LayerEditorHandle::update(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double weight = number(info[2], "weight");
  std::optional<UpdateForm> form;
  if (!info[3].IsUndefined()) form = update_form(info[3]);
  const std::shared_ptr<Cancellation> token = cancellation(info, 4);
  return promise(
      env, token,
      [editor = native(env), keys = MatrixHandle::unwrap(env, info[0]), residuals = MatrixHandle::unwrap(env, info[1]),
       weight, form, token] {
        Matrix<double> key_storage, residual_storage;
        return editor->update(keys->as_doubles(key_storage), residuals->as_doubles(residual_storage), weight, form,
                              *token);
      },
      [](Napi::Env e, const UpdateReport& report) { return to_object(e, report); });
}

Napi::Value LayerEditorHandle::drift(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr, [editor = native(info.Env())] { return copy_of(*process_backend(), editor->drift()); },
      give_doubles);
}

Napi::Value LayerEditorHandle::last_batch(const Napi::CallbackInfo& info) {
  struct Batch {
    Matrix<double> keys, targets, values;
  };
  return promise(
      info.Env(), nullptr,
      [editor = native(info.Env())] {
        const Ledger& ledger = editor->ledger();
        const std::size_t count = editor->last_targets().rows, begin = ledger.facts() - count;
        Backend& backend = *process_backend();
        return Batch{copy_of(backend, ledger.keys().row_range(begin, count)), copy_of(backend, editor->last_targets()),
                     copy_of(backend, ledger.values().row_range(begin, count))};
      },
      [](Napi::Env env, Batch batch) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("keys", give_doubles(env, std::move(batch.keys)));
        object.Set("targets", give_doubles(env, std::move(batch.targets)));
        object.Set("values", give_doubles(env, std::move(batch.values)));
        return object;
      });
}

Napi::Value LayerEditorHandle::replay(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return promise(
      env, nullptr,
      [editor = native(env), keys = MatrixHandle::unwrap(env, info[0]), values = MatrixHandle::unwrap(env, info[1])] {
        Matrix<double> key_storage, value_storage;
        editor->replay(keys->as_doubles(key_storage), values->as_doubles(value_storage));
      });
}

Napi::Value LayerEditorHandle::replay_last(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double weight = number(info[2], "weight");
  const UpdateForm form = update_form(info[3]);
  return promise(env, nullptr,
                 [editor = native(env), keys = MatrixHandle::unwrap(env, info[0]),
                  targets = MatrixHandle::unwrap(env, info[1]), weight, form] {
                   Matrix<double> key_storage, target_storage;
                   editor->replay_last(keys->as_doubles(key_storage), targets->as_doubles(target_storage), weight,
                                       form);
                 });
}

Napi::Value create_layer_editor(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [space = KeySpaceHandle::unwrap(info.Env(), info[0]), width = count(info[1], "valueWidth")] {
        return std::make_shared<LayerEditor>(space, width);
      },
      LayerEditorHandle::wrap);
}

Napi::Value compute_residuals(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::size_t layers_left = count(info[2], "layersLeft");
  return promise(
      env, nullptr,
      [values = MatrixHandle::unwrap(env, info[0]), outputs = MatrixHandle::unwrap(env, info[1]), layers_left] {
        Matrix<float> value_storage;
        Matrix<double> output_storage;
        return residuals(*values->backend, values->as_floats(value_storage), outputs->as_doubles(output_storage),
                         layers_left);
      },
      give_doubles);
}

}  // namespace lyaplock::addon
