// Restraining how far a weight has drifted.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// `drift` [m, d] with every singular value s above s0, the largest of `original` [m, d], replaced by
/// ln s - ln s0 + s0 (PRUNE, Ma et al. 2024; reference, section 10.4). ErrorCode::shape, not_finite, and
/// invalid_argument if the original is zero.
Matrix<double> compress_singular_values(Backend& backend, ConstMatrixView<double> drift,
                                        ConstMatrixView<double> original);

/// The largest singular value of a matrix [m, d], m <= d preferably.
double largest_singular_value(Backend& backend, ConstMatrixView<double> matrix);

}  // namespace lyaplock
