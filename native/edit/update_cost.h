// What an update costs, known before it is made.
#pragma once

#include <cstddef>

#include "edit/update_form.h"

namespace lyaplock {

struct UpdateShape {
  std::size_t key_width;    // d
  std::size_t rank;         // of the key space; d for a covariance that was factored
  std::size_t value_width;  // m
  double flops_of_row;      // that whiten or lift one row (KeySpace::flops_of_row)
  Memory memory;
};

/// Floating-point operations, counted as backend/counted_flops.h does, of one batch of u facts after `past` remembered
/// ones. `bordered`: the weight is that of the update before, whose factor is there.
double dual_flops(const UpdateShape& shape, std::size_t past, std::size_t u, bool bordered);
/// However many facts there were before.
double primal_flops(const UpdateShape& shape, std::size_t u);
/// Of bringing `facts` remembered facts into the dual form that are not in it yet.
double catch_up_flops(const UpdateShape& shape, std::size_t facts);

/// Where the forms stand before a batch.
struct FormState {
  std::size_t facts;        // remembered
  std::size_t not_in_dual;  // of these, those the dual form has not taken in
  bool can_border;          // the weight is that of the update before, whose factor is there
  bool is_primal_begun;     // the primal form has taken in all there were
};
/// The form that takes fewer operations. To begin with the primal one costs as much as several updates, for it takes in
/// all facts; it is begun once ten batches like this one would make up for that.
UpdateForm cheaper_form(const UpdateShape& shape, const FormState& state, std::size_t batch);

}  // namespace lyaplock
