// How many floating-point operations a piece of work takes, counted where it is asked for.
#pragma once

#include <cstddef>

namespace lyaplock {

/// Floating-point operations of the linear algebra that the calling thread has asked of backends since it began, of
/// either precision: the sum of the counts below. What a piece of work took is the difference of two calls. Loops over
/// elements, and products inside the transformer's operations, are not counted.
double counted_flops();

/// For backends: adds to the calling thread's count, once per call of an operation from above.
void count_flops(double operations);

/// An addition and a multiplication are two operations; lower orders are left out but for syrk's diagonal.
namespace flops {

/// op(A) [m, k] op(B) [k, n]: 2 m n k.
double gemm(std::size_t m, std::size_t n, std::size_t k);
/// The lower triangle [n, n], diagonal included, of inner products of length k: n (n + 1) k.
double syrk(std::size_t n, std::size_t k);
/// n³ / 3.
double potrf(std::size_t n);
/// n² k for a triangle [n, n] and k right-hand sides.
double trsm(std::size_t n, std::size_t k);
/// 9 n³ (Golub and Van Loan, "Matrix Computations", on the symmetric QR algorithm with eigenvectors). Divide and
/// conquer takes fewer, by an amount that depends on the matrix.
double syevd(std::size_t n);
/// 14 m n² + 8 n³ for [m, n] or [n, m], m >= n (the same, on the Golub-Reinsch algorithm with both sets of vectors).
double gesdd(std::size_t rows, std::size_t cols);

}  // namespace flops

}  // namespace lyaplock
