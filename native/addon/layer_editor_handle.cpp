#include "addon/layer_editor_handle.h"

#include "addon/arguments.h"
#include "addon/key_space_handle.h"
#include "addon/matrix_handle.h"
#include "edit/residuals.h"
#include "edit/update_cost.h"

namespace lyaplock::addon {

namespace {

/// One of a few words.
template <class Choice>
Choice choice(const Napi::Value& value, const char* name,
              std::initializer_list<std::pair<const char*, Choice>> choices) {
  const std::string given = text(value, name);
  std::string words;
  for (const auto& [word, choice] : choices) {
    if (given == word) return choice;
    words += (words.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  }
  throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument),
                      std::string(name) + " must be one of " + words + "; received \"" + given + "\"");
}

UpdateForm update_form(const Napi::Value& value) {
  return choice<UpdateForm>(value, "form", {{"dual", UpdateForm::dual}, {"primal", UpdateForm::primal}});
}

Memory memory_of(const Napi::Value& value) {
  return choice<Memory>(value, "memory", {{"values", Memory::values}, {"keys", Memory::keys}, {"none", Memory::none}});
}

const char* name_of_form(UpdateForm form) { return form == UpdateForm::dual ? "dual" : "primal"; }

Napi::Value to_object(Napi::Env env, const UpdateReport& report) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("preservationLoss", report.preservation_loss);
  object.Set("updateNorm", report.update_norm);
  object.Set("residualNorm", report.residual_norm);
  object.Set("solveResidual", report.solve_residual);
  object.Set("form", name_of_form(report.form));
  object.Set("bordered", report.bordered);
  object.Set("weight", report.weight);
  object.Set("trials", report.trials);
  object.Set("flops", report.flops);
  return object;
}

/// What an editor's state consists of beside its batches.
struct Standing {
  std::optional<Chain> chain;
  std::size_t batches;
};

Napi::Value to_object(Napi::Env env, const Standing& standing) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("batches", to_number(env, static_cast<double>(standing.batches)));
  object.Set("chain", env.Null());
  if (standing.chain) {
    Napi::Object chain = Napi::Object::New(env);
    chain.Set("weight", standing.chain->weight);
    chain.Set("form", name_of_form(standing.chain->form));
    chain.Set("begin", to_number(env, static_cast<double>(standing.chain->begin)));
    object.Set("chain", chain);
  }
  return object;
}

struct Batch {
  Matrix<double> keys, targets, values;
};

Batch batch_of(const LayerEditor& editor, std::size_t index) {
  Backend& backend = *process_backend();
  const Ledger& ledger = editor.ledger();
  if (index >= ledger.batch_ends().size())
    throw Error(ErrorCode::invalid_argument, "There is no batch " + std::to_string(index) + "; the ledger has " +
                                                 std::to_string(ledger.batch_ends().size()));
  const std::size_t begin = ledger.batch_begin(index), end = ledger.batch_ends()[index];
  Batch batch{.keys = ledger.keys().copy(backend, begin, end), .targets = {}, .values = {}};
  if (editor.memory() == Memory::values) {
    batch.targets = ledger.targets().copy(backend, begin, end);
    batch.values = ledger.values().copy(backend, begin, end);
  }
  return batch;
}

Napi::Value to_object(Napi::Env env, Batch batch) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("keys", give_doubles(env, std::move(batch.keys)));
  if (!batch.targets.empty()) {
    object.Set("targets", give_doubles(env, std::move(batch.targets)));
    object.Set("values", give_doubles(env, std::move(batch.values)));
  }
  return object;
}

}  // namespace

Napi::Function LayerEditorHandle::define(Napi::Env env) {
  using Self = LayerEditorHandle;
  return DefineClass(env, "NativeLayerEditor",
                     {InstanceAccessor<&Self::facts>("facts"), InstanceAccessor<&Self::bytes>("bytes"),
                      InstanceMethod<&Self::update>("update"), InstanceMethod<&Self::remember>("remember"),
                      InstanceMethod<&Self::drift>("drift"), InstanceMethod<&Self::delta>("delta"),
                      InstanceMethod<&Self::whitened_drift>("whitenedDrift"),
                      InstanceMethod<&Self::standing>("standing"), InstanceMethod<&Self::batch>("batch"),
                      InstanceMethod<&Self::restore_chain>("restoreChain"), InstanceMethod<&Self::replay>("replay"),
                      InstanceMethod<&Self::restore_drift>("restoreDrift"), dispose_method()});
}

Napi::Value LayerEditorHandle::facts(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->facts()));
}

Napi::Value LayerEditorHandle::bytes(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), static_cast<double>(native(info.Env())->bytes()));
}

Napi::Value LayerEditorHandle::update(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  WeightChoice choice{.weight = number(info[2], "weight")};
  std::optional<UpdateForm> form;
  if (!info[3].IsUndefined()) form = update_form(info[3]);
  const std::shared_ptr<Cancellation> token = cancellation(info, 4);
  if (!info[5].IsUndefined()) choice.limit = number(info[5], "lossLimit");
  return promise(
      env, token,
      [editor = native(env), keys = MatrixHandle::unwrap(env, info[0]), residuals = MatrixHandle::unwrap(env, info[1]),
       choice, form, token] {
        Matrix<double> key_storage, residual_storage;
        return editor->update(keys->as_doubles(key_storage), residuals->as_doubles(residual_storage), choice, form,
                              *token);
      },
      [](Napi::Env e, const UpdateReport& report) { return to_object(e, report); });
}

Napi::Value LayerEditorHandle::remember(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr, [editor = native(info.Env()), keys = MatrixHandle::unwrap(info.Env(), info[0])] {
    Matrix<double> storage;
    editor->remember(keys->as_doubles(storage));
  });
}

Napi::Value LayerEditorHandle::drift(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr, [editor = native(info.Env())] { return editor->drift(); }, give_doubles);
}

Napi::Value LayerEditorHandle::delta(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr, [editor = native(info.Env())] { return editor->delta(); }, give_doubles);
}

Napi::Value LayerEditorHandle::whitened_drift(const Napi::CallbackInfo& info) {
  return promise(info.Env(), nullptr, [editor = native(info.Env())] { return editor->whitened_drift(); }, give_doubles);
}

Napi::Value LayerEditorHandle::standing(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [editor = native(info.Env())] {
        return Standing{.chain = editor->chain(), .batches = editor->ledger().batch_ends().size()};
      },
      [](Napi::Env env, const Standing& standing) { return to_object(env, standing); });
}

Napi::Value LayerEditorHandle::batch(const Napi::CallbackInfo& info) {
  const std::size_t index = count(info[0], "index");
  return promise(
      info.Env(), nullptr, [editor = native(info.Env()), index] { return batch_of(*editor, index); },
      [](Napi::Env env, Batch batch) { return to_object(env, std::move(batch)); });
}

Napi::Value LayerEditorHandle::restore_chain(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[0], "chain");
  const Chain chain{.weight = number(given.Get("weight"), "weight"),
                    .form = update_form(given.Get("form")),
                    .begin = count(given.Get("begin"), "begin")};
  const std::size_t facts = count(info[1], "facts");
  return promise(info.Env(), nullptr, [editor = native(info.Env()), chain, facts] { editor->restore(chain, facts); });
}

Napi::Value LayerEditorHandle::replay(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Cancellation> token = cancellation(info, 3);
  return promise(env, token,
                 [editor = native(env), keys = MatrixHandle::unwrap(env, info[0]),
                  targets = MatrixHandle::unwrap(env, info[1]), values = MatrixHandle::unwrap(env, info[2]), token] {
                   Matrix<double> key_storage, target_storage, value_storage;
                   editor->replay(keys->as_doubles(key_storage), targets->as_doubles(target_storage),
                                  values->as_doubles(value_storage), *token);
                 });
}

Napi::Value LayerEditorHandle::restore_drift(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return promise(
      env, nullptr,
      [editor = native(env), drift = MatrixHandle::unwrap(env, info[0]), rows = MatrixHandle::unwrap(env, info[1])] {
        Matrix<double> drift_storage, row_storage;
        editor->restore(drift->as_doubles(drift_storage), rows->as_doubles(row_storage));
      });
}

Napi::Value create_layer_editor(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [space = KeySpaceHandle::unwrap(info.Env(), info[0]), width = count(info[1], "valueWidth"),
       memory = memory_of(info[2])] { return std::make_shared<LayerEditor>(space, width, memory); },
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

namespace {

UpdateShape update_shape(const Napi::Value& value) {
  const Napi::Object given = object(value, "shape");
  const std::size_t d = count(given.Get("keyWidth"), "keyWidth");
  const std::size_t rank = given.Get("rank").IsUndefined() ? d : count(given.Get("rank"), "rank");
  const auto width = static_cast<double>(d);
  return {.key_width = d,
          .rank = rank,
          .value_width = count(given.Get("valueWidth"), "valueWidth"),
          .flops_of_row = rank == d ? width * width : 2 * width * static_cast<double>(rank),
          .memory = memory_of(given.Get("memory"))};
}

}  // namespace

Napi::Value update_flops(const Napi::CallbackInfo& info) {
  const UpdateShape shape = update_shape(info[0]);
  const std::size_t past = count(info[1], "past"), batch = count(info[2], "batch");
  const bool is_dual = update_form(info[3]) == UpdateForm::dual;
  return to_number(info.Env(),
                   is_dual ? dual_flops(shape, past, batch, boolean(info[4], "bordered")) : primal_flops(shape, batch));
}

Napi::Value cheaper_form_of(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[1], "state");
  const FormState state{.facts = count(given.Get("facts"), "facts"),
                        .not_in_dual = count(given.Get("notInDual"), "notInDual"),
                        .can_border = boolean(given.Get("canBorder"), "canBorder"),
                        .is_primal_begun = boolean(given.Get("isPrimalBegun"), "isPrimalBegun")};
  return Napi::String::New(info.Env(),
                           name_of_form(cheaper_form(update_shape(info[0]), state, count(info[2], "batch"))));
}

}  // namespace lyaplock::addon
