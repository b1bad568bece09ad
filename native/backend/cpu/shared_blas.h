// Linear algebra shared out over a pool of threads.
//
// The work is cut up here, and each piece is a call of BLAS on one thread, or of wide_product.h. BLAS libraries' own
// threads spin for a while when a call is over, and take the processor from those of the next operation. Pieces are few
// and large, because a library copies the operands of every call into an order of its own first, and no element is
// copied by two threads that can be left to one. How they are cut depends on shapes and the number of threads alone.
#pragma once

#include "backend/backend.h"
#include "base/thread_pool.h"

namespace lyaplock::cpu {

/// Multiply-adds that are worth waking a thread for: some tens of microseconds.
inline constexpr std::size_t product_grain = std::size_t{1} << 20;

/// gemm, syrk, trsm and potrf of backend.h.
template <class T>
void add_product(ThreadPool& pool, Transpose a_op, Transpose b_op, T alpha, ConstMatrixView<T> a, ConstMatrixView<T> b,
                 T beta, MatrixView<T> c);
/// gemm of an A as it is, where `suits_wide_product` says so.
void add_wide_product(ThreadPool& pool, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                      float beta, MatrixView<float> c);
template <class T>
void add_own_product(ThreadPool& pool, Transpose a_op, T alpha, ConstMatrixView<T> a, T beta, MatrixView<T> c);
void solve_triangular(ThreadPool& pool, Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b);
std::size_t factor_positive_definite(ThreadPool& pool, MatrixView<double> a);

extern template void add_product<float>(ThreadPool&, Transpose, Transpose, float, ConstMatrixView<float>,
                                        ConstMatrixView<float>, float, MatrixView<float>);
extern template void add_product<double>(ThreadPool&, Transpose, Transpose, double, ConstMatrixView<double>,
                                         ConstMatrixView<double>, double, MatrixView<double>);
extern template void add_own_product<float>(ThreadPool&, Transpose, float, ConstMatrixView<float>, float,
                                            MatrixView<float>);
extern template void add_own_product<double>(ThreadPool&, Transpose, double, ConstMatrixView<double>, double,
                                             MatrixView<double>);

}  // namespace lyaplock::cpu
