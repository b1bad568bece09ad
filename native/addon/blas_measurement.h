// measureBlas of src/native/addon.ts.
#pragma once

#include <napi.h>

namespace lyaplock::addon {

Napi::Value run_measure_blas(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
