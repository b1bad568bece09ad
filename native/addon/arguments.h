// JavaScript arguments to C++ values, checked.
#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "model/token_batch.h"

namespace lyaplock::addon {

/// Each throws a JavaScript exception (ERR_INVALID_ARGUMENT) that names the argument unless it is what is asked for.
/// Typed arrays are copied: JavaScript may change or detach them while the work runs.
double number(const Napi::Value& value, const char* name);
std::size_t count(const Napi::Value& value, const char* name);  // a whole number, 0 ... 2^53
std::string text(const Napi::Value& value, const char* name);
bool boolean(const Napi::Value& value, const char* name);
Napi::Object object(const Napi::Value& value, const char* name);
std::vector<std::int32_t> integers(const Napi::Value& value, const char* name);             // Int32Array
std::vector<float> floats(const Napi::Value& value, const char* name);                      // Float32Array
std::vector<std::size_t> counts(const Napi::Value& value, const char* name);                // array of whole numbers
std::map<std::string, std::string> string_map(const Napi::Value& value, const char* name);  // object of strings
std::vector<std::string> texts(const Napi::Value& value, const char* name);                 // array of strings
TokenBatch token_batch(const Napi::Value& value);

/// A cancellation handle, or a token that never fires where none was given.
std::shared_ptr<Cancellation> cancellation(const Napi::CallbackInfo& info, std::size_t index);

inline Napi::Value to_number(Napi::Env env, double value) { return Napi::Number::New(env, value); }
Napi::Value to_array(Napi::Env env, const std::vector<std::int32_t>& values);  // Int32Array
Napi::Value to_array(Napi::Env env, const std::vector<float>& values);         // Float32Array

}  // namespace lyaplock::addon
