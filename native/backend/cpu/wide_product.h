// Products in float32 on processors with AVX-512, for the shapes of a forward pass: some rows by a large weight.
//
// BLAS copies both operands of every call into an order of its own, and clears or scales C in a pass of its own. Here A
// is read where it is, and B is copied once.
#pragma once

#include "backend/backend.h"

namespace lyaplock::cpu {

/// Columns of C that are computed together: best cut between multiples of it.
inline constexpr std::size_t wide_product_columns = 32;

/// Whether this processor has what it takes, and so many rows of A are enough to be worth the copy of B.
bool suits_wide_product(std::size_t rows);

/// C = alpha A op(B) + beta C, on the calling thread. An element of C comes out the same whichever other rows and
/// columns are computed with it. Only where `suits_wide_product` says so.
void multiply_wide(Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b, float beta,
                   MatrixView<float> c);

}  // namespace lyaplock::cpu
