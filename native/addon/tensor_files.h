// readTensors, readMetadata and writeTensors of src/native/addon.ts.
#pragma once

#include <napi.h>

namespace lyaplock::addon {

Napi::Value read_tensors(const Napi::CallbackInfo& info);
Napi::Value read_metadata(const Napi::CallbackInfo& info);
Napi::Value write_tensors(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
