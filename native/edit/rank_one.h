// The update of one fact along one direction.
#pragma once

#include "edit/key_space.h"

namespace lyaplock {

/// R^T c / (k c^T) with c = k_mean C^-1 [1, d]: adds the residual R [1, m] to the output at the key k [1, d], and as
/// little as can be elsewhere (ROME, Meng et al. 2022, equation 2; reference, section 10.7). `mean_key` [1, d] is the
/// key averaged over contexts. [m, d]. ErrorCode::shape, not_finite; invalid_argument if k has no part along c.
Matrix<double> rank_one_update(const KeySpace& space, ConstMatrixView<double> mean_key, ConstMatrixView<double> key,
                               ConstMatrixView<double> residual);

/// The same along a direction c [1, d] that is given.
Matrix<double> rank_one_update(Backend& backend, ConstMatrixView<double> direction, ConstMatrixView<double> key,
                               ConstMatrixView<double> residual);

}  // namespace lyaplock
