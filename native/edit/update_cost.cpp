#include "edit/update_cost.h"

#include <algorithm>

#include "backend/counted_flops.h"
#include "edit/probes.h"

namespace lyaplock {

namespace {

/// Whitened keys and their inner products with all; B too where values are kept.
double new_keys(const UpdateShape& shape, std::size_t past, std::size_t u) {
  const double maps = shape.memory == Memory::values ? 2 : 1;
  return maps * static_cast<double>(u) * shape.flops_of_row + flops::gemm(u, past + u, shape.rank);
}

/// Rows of a factor: below `past` rows that are factored.
double factor_rows(std::size_t past, std::size_t u) {
  return flops::trsm(past, u) + flops::syrk(u, past) + flops::potrf(u);
}

/// (G + μ I) times the probes' coefficients, less what it should be.
double residual(std::size_t n, std::size_t m) {
  return flops::gemm(n, n, probe_count) + 2 * flops::gemm(n, m, probe_count);
}

/// [u, past] coupled to what is above, and as many rows of L^-1 X, X having `width` columns.
double border(std::size_t past, std::size_t u, std::size_t width) {
  return flops::trsm(past, u) + flops::gemm(u, width, past) + flops::trsm(u, width);
}

/// D += A^T B for k rows of A and B, and the norm of that.
double add_change(std::size_t k, std::size_t m, std::size_t d) {
  return flops::gemm(m, d, k) + flops::gemm(k, k, m) + flops::gemm(k, k, d);
}

/// Sums over all facts, whose whitened keys are at hand.
double begin_primal_flops(const UpdateShape& shape, std::size_t facts) {
  const double values = shape.memory == Memory::values ? flops::gemm(shape.value_width, shape.rank, facts) : 0;
  return flops::syrk(shape.rank, facts) + values;
}

}  // namespace

double catch_up_flops(const UpdateShape& shape, std::size_t facts) { return new_keys(shape, facts / 2, facts); }

double dual_flops(const UpdateShape& shape, std::size_t past, std::size_t u, bool bordered) {
  const std::size_t d = shape.key_width, m = shape.value_width, n = past + u;
  const double keys = new_keys(shape, past, u);
  if (shape.memory != Memory::values) {
    const double factor = bordered ? factor_rows(past, u) : flops::potrf(n);
    const double change = flops::trsm(u, m) + flops::gemm(m, shape.rank, u) + add_change(u, m, d);
    return keys + factor + border(past, u, shape.rank) + static_cast<double>(u) * shape.flops_of_row + change +
           residual(n, 0);
  }
  const double targets = flops::gemm(u, m, d);
  if (!bordered)
    return keys + targets + flops::potrf(n) + 2 * flops::trsm(n, m) + flops::gemm(m, d, n) + residual(n, m);
  // Of this batch and of the one before, which has reached its values meanwhile.
  const double changes = add_change(2 * u, m, d) + 4 * flops::trsm(u, m) + flops::gemm(u, m, past) +
                         flops::gemm(u, m, past - std::min(past, u)) + flops::gemm(u, m, u);
  return keys + targets + factor_rows(past, u) + border(past, u, d) + changes + residual(n, m);
}

UpdateForm cheaper_form(const UpdateShape& shape, const FormState& state, std::size_t batch) {
  constexpr double patience = 10;
  const double dual =
      dual_flops(shape, state.facts, batch, state.can_border) + catch_up_flops(shape, state.not_in_dual);
  const double gain = dual - primal_flops(shape, batch);
  const double begin = state.is_primal_begun ? 0 : begin_primal_flops(shape, state.facts);
  return gain > 0 && patience * gain >= begin ? UpdateForm::primal : UpdateForm::dual;
}

double primal_flops(const UpdateShape& shape, std::size_t u) {
  const std::size_t d = shape.key_width, m = shape.value_width, r = shape.rank;
  const double whiten = static_cast<double>(u) * shape.flops_of_row;
  const double system = flops::syrk(r, u) + flops::gemm(r, r, probe_count) + flops::potrf(r);
  if (shape.memory != Memory::values)
    return 2 * whiten + (shape.memory == Memory::keys ? whiten + flops::syrk(r, u) : 0) + system +
           2 * flops::trsm(r, u) + flops::gemm(m, r, u) + add_change(u, m, d) + 2 * flops::gemm(u, probe_count, r);
  const double remembered = whiten + flops::syrk(r, u) + flops::gemm(m, r, u);  // the batch before, folded in
  const double solve = 2 * flops::trsm(r, m) + static_cast<double>(m) * shape.flops_of_row;
  return remembered + flops::gemm(u, m, d) + whiten + system + 2 * flops::gemm(m, r, u) + solve +
         2 * flops::gemm(m, probe_count, r);
}

}  // namespace lyaplock
