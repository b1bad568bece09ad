// What either form of the update returns.
#pragma once

#include "backend/matrix.h"

namespace lyaplock {

/// A change of the drift as a product of few rows: left^T right, left [k, m], right [k, d]. It is added to D in one
/// pass.
struct Change {
  Matrix<double> left;
  Matrix<double> right;
};

/// Figures of the minimiser D of ||D K^T - Y||² + μ tr(D C D^T) over all facts, float64.
struct Solution {
  Matrix<double> reached;        // D k for every key of the last batch, [u, m]
  double preservation_loss = 0;  // ||D~||² in whitened coordinates: tr(D C D^T) where the space is white
  double residual = 0;           // of the linear system, relative; estimated by a few probes
};

/// The same where past facts are not values to keep: what writes R [u, m] at the new keys.
struct ChangeSolution {
  Change change;
  Matrix<double> whitened;  // its right side in whitened coordinates, [k, rank]
  double residual = 0;
};

}  // namespace lyaplock
