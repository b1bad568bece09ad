// What belongs to one JavaScript environment (the main thread, or a worker thread).
#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "addon/executor.h"
#include "backend/backend.h"

namespace lyaplock::addon {

struct AddonData {
  explicit AddonData(Napi::Env env);
  /// Before anything else of the environment goes: work under way must not outlive it.
  void end();

  static AddonData& of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

  std::unique_ptr<Executor> executor;  // gone once the environment is torn down
  Napi::FunctionReference cancellation, matrix, second_moment, key_space, layer_editor, model, key_pass, generation;
};

/// The one backend of the process, made on first use.
std::shared_ptr<Backend> process_backend();
/// How many threads it has, or will have; ErrorCode::invalid_argument once it exists with another number.
void set_process_threads(std::size_t threads);
/// The number it runs or will run with.
std::size_t process_threads();

}  // namespace lyaplock::addon
