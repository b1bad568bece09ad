#include "addon/external_array.h"

namespace lyaplock::addon {

namespace {
using Owner = std::shared_ptr<void>;

// buffer.constants.MAX_LENGTH of Node 20. Node frees longer memory at once, and again with its owner.
constexpr std::size_t longest = std::size_t{1} << 32;

void release(napi_env, void*, void* hint) { const std::unique_ptr<Owner> last(static_cast<Owner*>(hint)); }
}  // namespace

std::optional<Napi::ArrayBuffer> external_buffer(Napi::Env env, std::shared_ptr<void> memory, std::size_t bytes) {
  if (bytes > longest) return std::nullopt;
  auto owner = std::make_unique<Owner>(std::move(memory));
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(env, owner->get(), bytes, release, owner.get(), &buffer);
  // From here on Node calls `release`; so it does after a general failure, but after no other.
  if (status == napi_ok || status == napi_generic_failure) (void)owner.release();
  if (status == napi_no_external_buffers_allowed) return std::nullopt;
  if (status != napi_ok) throw Napi::Error::New(env);
  return Napi::ArrayBuffer(env, buffer);
}

}  // namespace lyaplock::addon
