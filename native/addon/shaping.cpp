#include "addon/shaping.h"

#include <cmath>

#include "addon/arguments.h"
#include "addon/key_space_handle.h"
#include "addon/matrix_handle.h"
#include "edit/preservation_loss.h"
#include "edit/rank_one.h"
#include "edit/singular_values.h"
#include "edit/sum.h"
#include "edit/top_share.h"

namespace lyaplock::addon {

Napi::Value keep_top_share_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double share = number(info[2], "share");
  return promise(
      env, nullptr,
      [delta = MatrixHandle::unwrap(env, info[0]), weight = MatrixHandle::unwrap(env, info[1]), share] {
        Matrix<double> delta_storage, weight_storage;
        return keep_top_share(*delta->backend, delta->as_doubles(delta_storage), weight->as_doubles(weight_storage),
                              share);
      },
      give_doubles);
}

Napi::Value compress_singular_values_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return promise(
      env, nullptr,
      [drift = MatrixHandle::unwrap(env, info[0]), original = MatrixHandle::unwrap(env, info[1])] {
        Matrix<double> drift_storage, original_storage;
        return compress_singular_values(*drift->backend, drift->as_doubles(drift_storage),
                                        original->as_doubles(original_storage));
      },
      give_doubles);
}

Napi::Value rank_one_update_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return promise(
      env, nullptr,
      [space = info[0].IsNull() ? nullptr : KeySpaceHandle::unwrap(env, info[0]),
       mean_key = MatrixHandle::unwrap(env, info[1]), key = MatrixHandle::unwrap(env, info[2]),
       residual = MatrixHandle::unwrap(env, info[3])] {
        Matrix<double> mean_storage, key_storage, residual_storage;
        const ConstMatrixView<double> mean = mean_key->as_doubles(mean_storage), at = key->as_doubles(key_storage),
                                      missing = residual->as_doubles(residual_storage);
        return space ? rank_one_update(*space, mean, at, missing)
                     : rank_one_update(*mean_key->backend, mean, at, missing);
      },
      give_doubles);
}

Napi::Value preservation_loss_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return promise(
      env, nullptr,
      [drift = MatrixHandle::unwrap(env, info[0]), covariance = MatrixHandle::unwrap(env, info[1])] {
        Matrix<double> drift_storage, covariance_storage;
        return preservation_loss(*drift->backend, drift->as_doubles(drift_storage),
                                 covariance->as_doubles(covariance_storage));
      },
      to_number);
}

Napi::Value add_scaled(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double scale = number(info[1], "scale");
  return promise(
      env, nullptr,
      [a = MatrixHandle::unwrap(env, info[0]), scale, b = MatrixHandle::unwrap(env, info[2])] {
        Matrix<double> a_storage, b_storage;
        return sum_of(*a->backend, a->as_doubles(a_storage), scale, b->as_doubles(b_storage));
      },
      give_doubles);
}

Napi::Value norm_of(const Napi::CallbackInfo& info) {
  return promise(
      info.Env(), nullptr,
      [matrix = MatrixHandle::unwrap(info.Env(), info[0])] {
        Matrix<double> storage;
        const ConstMatrixView<double> values = matrix->as_doubles(storage);
        return std::sqrt(matrix->backend->dot(values, values));
      },
      to_number);
}

}  // namespace lyaplock::addon
