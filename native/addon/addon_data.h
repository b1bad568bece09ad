// What belongs to one JavaScript environment (the main thread, or a worker thread).
#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "addon/executor.h"
#include "addon/process_backend.h"

namespace lyaplock::addon {

struct AddonData {
  explicit AddonData(Napi::Env env);
  /// Before anything else of the environment goes: work under way must not outlive it.
  void end();

  static AddonData& of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

  std::unique_ptr<Executor> executor;  // gone once the environment is torn down
  Napi::FunctionReference cancellation, matrix, second_moment, key_space, layer_editor, model, key_pass, generation;
};

}  // namespace lyaplock::addon
