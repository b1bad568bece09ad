// What either form of the update returns.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// The minimiser D of ||D K^T - Y||² + μ tr(D C D^T) over all facts, written where the caller said, and its figures in
/// float64.
struct Solution {
  /// What was written, [m, d]: D itself, or D less the drift that was.
  enum class Written { drift, change } written = Written::drift;
  Matrix<double> reached;        // D k for every key of the last batch, [u, m]
  double preservation_loss = 0;  // tr(D C D^T), per corpus token; μ is not in it
  double residual = 0;           // of the linear system, relative; estimated by a few probes
};

/// The same where past facts are not values to keep: the change of the drift that writes R [u, m] at the new keys.
struct ChangeSolution {
  Matrix<double> whitened;  // the change in whitened coordinates, [m, rank]
  double residual = 0;
};

}  // namespace lyaplock
