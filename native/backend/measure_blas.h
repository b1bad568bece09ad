// How fast the BLAS library is with threads of its own, and how fast this project's sharing out of its calls is, for
// benchmarks and `doctor`.
#pragma once

#include "backend/backend.h"

namespace lyaplock {

enum class BlasOperation { gemm, syrk, potrf, trsm };
enum class Precision { float32, float64 };

/// What to compute, of numbers in [-1, 1):
///   gemm   C [rows, columns] = A [rows, inner] B^T, B [columns, inner]
///   syrk   lower triangle of C [rows, rows] += A^T A, A [inner, rows]
///   potrf  A [rows, rows], float64
///   trsm   B [rows, columns] L^-T, L [columns, columns], float64
/// Sizes that an operation does not name are not read.
struct BlasProblem {
  BlasOperation operation;
  Precision precision;
  std::size_t rows;
  std::size_t columns = 0;
  std::size_t inner = 0;
};

struct BlasSpeed {
  double library_seconds;  // one call of BLAS, or LAPACK, on the library's own threads
  double our_seconds;      // one call of the backend
  double flops;            // of either (backend/counted_flops.h)
};

/// Times one call of each, in that order, on the same operands; before each, memory has been touched and the processor
/// kept at work. The library runs on `threads` threads where it lets itself be told (OpenBLAS, MKL), on its default
/// elsewhere; afterwards it is back at the one thread that the CPU backend asks of it. Until then other calls of BLAS
/// in this process are on as many: nothing else should run. A single timing on a shared machine says little; take the
/// median of several ratios.
/// ErrorCode::invalid_argument for a size of zero, a float32 potrf or trsm, or a backend that is not the CPU's.
BlasSpeed measure_blas(Backend& backend, const BlasProblem& problem, std::size_t threads);

}  // namespace lyaplock
