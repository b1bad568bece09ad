// The maps of updates and drifts of src/native/addon.ts.
#pragma once

#include <napi.h>

namespace lyaplock::addon {

/// keepTopShare(delta, weight, share), compressSingularValues(drift, original),
/// rankOneUpdate(keySpace, meanKey, key, residual), preservationLoss(drift, covariance)
Napi::Value keep_top_share_of(const Napi::CallbackInfo& info);
Napi::Value compress_singular_values_of(const Napi::CallbackInfo& info);
Napi::Value rank_one_update_of(const Napi::CallbackInfo& info);
Napi::Value preservation_loss_of(const Napi::CallbackInfo& info);
/// addScaled(a, scale, b), norm(matrix)
Napi::Value add_scaled(const Napi::CallbackInfo& info);
Napi::Value norm_of(const Napi::CallbackInfo& info);

}  // namespace lyaplock::addon
