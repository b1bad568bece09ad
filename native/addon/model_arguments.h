// JavaScript arguments about models: their types in src/native/addon.ts.
#pragma once

#include <napi.h>

#include <vector>

#include "model/description.h"
#include "model/key_pass.h"
#include "model/value_prompts.h"

namespace lyaplock::addon {

/// Each throws a JavaScript exception that names what is not as it should be.
ModelDescription model_description(const Napi::Value& value);
/// `labelSequences`, `labelPositions` and `labelTokens` of an object.
std::vector<Label> labels(const Napi::Object& object);
ValuePrompts value_prompts(const Napi::Value& value);
ValueOptions value_options(const Napi::Object& object);
KeyPrompts key_prompts(const Napi::Value& value);

}  // namespace lyaplock::addon
