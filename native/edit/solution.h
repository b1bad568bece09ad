// What either form of the update returns.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// The minimiser D of ||D K^T - Y||² + μ tr(D C D^T), and its figures in float64.
struct Solution {
  Matrix<double> drift;          // D [m, d]
  Matrix<double> reached;        // D k for every key of the last batch, [u, m]
  double preservation_loss = 0;  // tr(D C D^T), per corpus token; μ is not in it
  double residual = 0;           // of the linear system, relative
  double flops = 0;
};

}  // namespace lyaplock
