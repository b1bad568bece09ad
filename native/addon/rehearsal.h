// rehearseBatch and rehearseUpdates of src/native/addon.ts.
#pragma once

#include <napi.h>

namespace lyaplock::addon {

Napi::Value rehearse_batch(const Napi::CallbackInfo& info);
Napi::Value rehearse_updates(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
