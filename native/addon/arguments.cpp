#include "addon/arguments.h"

#include <algorithm>
#include <cmath>

#include "addon/cancellation_handle.h"
#include "addon/promise.h"

namespace lyaplock::addon {

namespace {

[[noreturn]] void refuse(const Napi::Value& value, const char* name, const char* expected) {
  throw to_javascript(value.Env(), name_of(ErrorCode::invalid_argument), std::string(name) + " must be " + expected);
}

template <class Array>
auto copy_of(const Napi::Value& value, napi_typedarray_type type, const char* name, const char* expected) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) refuse(value, name, expected);
  const auto array = value.As<Array>();
  using Element = std::remove_pointer_t<decltype(array.Data())>;
  return std::vector<std::remove_const_t<Element>>(array.Data(), array.Data() + array.ElementLength());
}

template <class Array, class Element>
Napi::Value array_of(Napi::Env env, const std::vector<Element>& values) {
  Array array = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

}  // namespace

double number(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) refuse(value, name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

std::size_t count(const Napi::Value& value, const char* name) {
  const double given = number(value, name);
  if (!(given >= 0 && given <= 9007199254740992.0) || given != std::floor(given))
    refuse(value, name, "a whole number, zero or more");
  return static_cast<std::size_t>(given);
}

std::string text(const Napi::Value& value, const char* name) {
  if (!value.IsString()) refuse(value, name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

bool boolean(const Napi::Value& value, const char* name) {
  if (!value.IsBoolean()) refuse(value, name, "true or false");
  return value.As<Napi::Boolean>().Value();
}

Napi::Object object(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) refuse(value, name, "an object");
  return value.As<Napi::Object>();
}

std::vector<std::int32_t> integers(const Napi::Value& value, const char* name) {
  return copy_of<Napi::Int32Array>(value, napi_int32_array, name, "an Int32Array");
}

std::vector<float> floats(const Napi::Value& value, const char* name) {
  return copy_of<Napi::Float32Array>(value, napi_float32_array, name, "a Float32Array");
}

std::vector<std::size_t> counts(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) refuse(value, name, "an array of whole numbers");
  const auto array = value.As<Napi::Array>();
  std::vector<std::size_t> values;
  for (std::uint32_t i = 0; i < array.Length(); ++i) values.push_back(count(array.Get(i), name));
  return values;
}

std::vector<std::string> texts(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) refuse(value, name, "an array of strings");
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> values;
  for (std::uint32_t i = 0; i < array.Length(); ++i) values.push_back(text(array.Get(i), name));
  return values;
}

std::map<std::string, std::string> string_map(const Napi::Value& value, const char* name) {
  std::map<std::string, std::string> values;
  for (const auto& [key, entry] : object(value, name))
    values.emplace(key.As<Napi::Value>().ToString().Utf8Value(), text(static_cast<Napi::Value>(entry), name));
  return values;
}

TokenBatch token_batch(const Napi::Value& value) {
  const Napi::Object batch = object(value, "The token batch");
  return {integers(batch.Get("tokens"), "tokens"), integers(batch.Get("offsets"), "offsets")};
}

std::shared_ptr<Cancellation> cancellation(const Napi::CallbackInfo& info, std::size_t index) {
  if (info.Length() <= index || info[index].IsUndefined()) return std::make_shared<Cancellation>();
  return CancellationHandle::unwrap(info.Env(), info[index]);
}

Napi::Value to_array(Napi::Env env, const std::vector<std::int32_t>& values) {
  return array_of<Napi::Int32Array>(env, values);
}

Napi::Value to_array(Napi::Env env, const std::vector<float>& values) {
  return array_of<Napi::Float32Array>(env, values);
}

}  // namespace lyaplock::addon
