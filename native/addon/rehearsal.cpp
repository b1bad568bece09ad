#include "addon/rehearsal.h"

#include <algorithm>

#include "addon/arguments.h"
#include "addon/model_arguments.h"
#include "addon/promise.h"
#include "backend/rehearsal/rehearsal_backend.h"
#include "edit/layer_editor.h"
#include "edit/residuals.h"
#include "model/values.h"
#include "model/weight_change.h"

namespace lyaplock::addon {

namespace {

/// What a piece of work asks of a backend, and the most memory it takes beside what was there before.
struct Rehearsal {
  std::vector<Work> work;
  std::size_t peak_bytes;
};

template <class Function>
Rehearsal rehearse(RehearsalBackend& backend, const Function& function) {
  backend.take_work();
  backend.begin_peak();
  const std::size_t before = backend.bytes();
  function();
  return {.work = backend.take_work(), .peak_bytes = backend.peak_bytes() - before};
}

/// A batch of facts but for its updates.
struct BatchRehearsal {
  Rehearsal values;
  Rehearsal keys;     // and residuals, of all layers
  Rehearsal weights;  // kept, in case the batch fails, and set, of all layers
};

BatchRehearsal rehearse_batch(const ModelDescription& description, const ValuePrompts& value_prompts,
                              const ValueOptions& options, const KeyPrompts& key_prompts,
                              const std::vector<std::size_t>& layers, std::size_t device_memory,
                              const Cancellation& cancellation) {
  const auto backend = std::make_shared<RehearsalBackend>(device_memory);
  const std::unique_ptr<Transformer> model = Transformer::without_values(backend, description);
  BatchRehearsal batch;
  batch.values = rehearse(*backend, [&] { optimize_values(*model, value_prompts, options, false, cancellation); });
  const std::size_t facts = key_prompts.bare.size(), m = description.width, d = description.feed_forward_width;
  batch.keys = rehearse(*backend, [&] {
    const Matrix<float> values(*backend, facts, m);
    KeyPass pass(*model, key_prompts);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Matrix<double> keys = pass.keys(layers[i], cancellation),
                           outputs = pass.outputs(layers.back(), cancellation);
      residuals(*backend, values, outputs, layers.size() - i);
    }
  });
  for (const std::size_t layer : layers) model->weights().editable_down(layer);  // there since the first batch
  const Matrix<double> drift(*backend, m, d);
  batch.weights = rehearse(*backend, [&] {
    std::vector<Matrix<float>> before;
    for (const std::size_t layer : layers) {
      before.emplace_back(*backend, m, d);
      backend->copy(model->weights().down(layer).view, before.back());
    }
    for (const std::size_t layer : layers) set_drift(*model, layer, drift);
  });
  return batch;
}

/// The updates of one layer that remembers values, batch after batch.
struct UpdatesRehearsal {
  Rehearsal all_but_last;  // batches
  Rehearsal last;
  std::size_t held_bytes;  // in the end, key space included
};

struct RehearsedUpdates {
  std::size_t key_width, value_width, facts, batch;
  bool weight_stays;
};

UpdatesRehearsal rehearse_updates(const RehearsedUpdates& updates, const Cancellation& cancellation) {
  const auto backend = std::make_shared<RehearsalBackend>();
  const std::size_t d = updates.key_width, m = updates.value_width;
  const auto space = [&] {
    const Matrix<double> factor(*backend, d, d);
    return KeySpace::from_factor(backend, factor, 0);
  }();
  LayerEditor editor(space, m, Memory::values);
  const auto update = [&](std::size_t facts) {
    const Matrix<double> keys(*backend, facts, d), values(*backend, facts, m);
    const double weight = updates.weight_stays ? 1 : 1 + static_cast<double>(editor.facts());
    editor.update(keys, values, {.weight = weight}, std::nullopt, cancellation);
  };
  const std::size_t last = (updates.facts - 1) % updates.batch + 1;
  UpdatesRehearsal rehearsal{};
  rehearsal.all_but_last = rehearse(*backend, [&] {
    while (editor.facts() + last < updates.facts) update(updates.batch);
  });
  rehearsal.last = rehearse(*backend, [&] { update(last); });
  rehearsal.held_bytes = backend->bytes();
  return rehearsal;
}

const char* name_of(WorkKind kind) {
  switch (kind) {
    case WorkKind::product: return "product";
    case WorkKind::triangular: return "triangular";
    case WorkKind::factor: return "factor";
    case WorkKind::attention: return "attention";
    case WorkKind::pass: return "pass";
    case WorkKind::copy: return "copy";
  }
  return "";
}

Napi::Value to_object(Napi::Env env, const Rehearsal& rehearsal) {
  Napi::Array all = Napi::Array::New(env, rehearsal.work.size());
  for (std::size_t i = 0; i < rehearsal.work.size(); ++i) {
    const Work& work = rehearsal.work[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("kind", name_of(work.kind));
    object.Set("operation", work.operation);
    object.Set("precision", work.is_float64 ? "float64" : "float32");
    object.Set("rows", to_number(env, static_cast<double>(work.rows)));
    object.Set("columns", to_number(env, static_cast<double>(work.columns)));
    object.Set("inner", to_number(env, static_cast<double>(work.inner)));
    object.Set("calls", work.calls);
    object.Set("flops", work.flops);
    object.Set("bytes", work.bytes);
    all.Set(static_cast<std::uint32_t>(i), object);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("work", all);
  object.Set("peakBytes", to_number(env, static_cast<double>(rehearsal.peak_bytes)));
  return object;
}

}  // namespace

Napi::Value rehearse_batch(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Cancellation> token = cancellation(info, 1);
  const Napi::Object given = object(info[0], "The batch");
  return promise(
      info.Env(), token,
      [description = model_description(given.Get("model")), values = value_prompts(given.Get("valuePrompts")),
       options = value_options(object(given.Get("valueOptions"), "valueOptions")),
       keys = key_prompts(given.Get("keyPrompts")), layers = counts(given.Get("layers"), "layers"),
       memory = count(given.Get("deviceMemory"), "deviceMemory"),
       token] { return rehearse_batch(description, values, options, keys, layers, memory, *token); },
      [](Napi::Env env, const BatchRehearsal& batch) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("values", to_object(env, batch.values));
        object.Set("keys", to_object(env, batch.keys));
        object.Set("weights", to_object(env, batch.weights));
        return object;
      });
}

Napi::Value rehearse_updates(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Cancellation> token = cancellation(info, 1);
  const Napi::Object given = object(info[0], "The updates");
  const auto size = [&](const char* name) {
    const std::size_t value = count(given.Get(name), name);
    if (value > 0) return value;
    throw to_javascript(info.Env(), lyaplock::name_of(ErrorCode::invalid_argument),
                        std::string(name) + " must be positive");
  };
  const RehearsedUpdates updates{.key_width = size("keyWidth"),
                                 .value_width = size("valueWidth"),
                                 .facts = size("edits"),
                                 .batch = size("batchSize"),
                                 .weight_stays = boolean(given.Get("weightStays"), "weightStays")};
  return promise(
      info.Env(), token, [updates, token] { return rehearse_updates(updates, *token); },
      [](Napi::Env env, const UpdatesRehearsal& rehearsal) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("allButLast", to_object(env, rehearsal.all_but_last));
        object.Set("last", to_object(env, rehearsal.last));
        object.Set("heldBytes", to_number(env, static_cast<double>(rehearsal.held_bytes)));
        return object;
      });
}

}  // namespace lyaplock::addon
