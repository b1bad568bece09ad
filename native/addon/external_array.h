// Native memory as a typed array of JavaScript.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>

namespace lyaplock::addon {

/// An ArrayBuffer over `memory` itself, which it shares: the memory lives until the collector has freed the buffer,
/// whoever detaches it, and whatever else owned the memory. Nothing where JavaScript must not have memory that it did
/// not allocate (Electron), or not that much (Node 20: 4 GiB).
std::optional<Napi::ArrayBuffer> external_buffer(Napi::Env env, std::shared_ptr<void> memory, std::size_t bytes);

/// The same as a Float32Array or Float64Array of `count` elements. An empty one is of no memory at all.
template <class T>
std::optional<Napi::TypedArrayOf<T>> external_array(Napi::Env env, std::shared_ptr<void> memory, std::size_t count) {
  using Array = Napi::TypedArrayOf<T>;
  if (count == 0) return Array::New(env, 0);
  const auto buffer = external_buffer(env, std::move(memory), count * sizeof(T));
  if (!buffer) return std::nullopt;
  return Array::New(env, count, *buffer, 0);
}

}  // namespace lyaplock::addon
