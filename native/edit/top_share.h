// Keeping the largest part of an update.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// `delta` [m, d] with all elements zeroed but the `share` (0 < share <= 1) of those that change the weight [m, d] most
/// for its size, |delta / (weight + 1e-8)|; ties stay (RECT, Gu et al. 2024; reference, section 10.3). The element of
/// rank floor((1 - share) m d), counted from the smallest, is the least that stays, as published: one more than the
/// share. ErrorCode::shape, invalid_argument.
Matrix<double> keep_top_share(Backend& backend, ConstMatrixView<double> delta, ConstMatrixView<double> weight,
                              double share);

}  // namespace lyaplock
