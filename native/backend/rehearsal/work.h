// What a backend was asked for, in kinds that take their time in different ways.
#pragma once

#include <compare>
#include <cstddef>
#include <vector>

namespace lyaplock {

enum class WorkKind {
  product,     // gemm, syrk
  triangular,  // trsm
  factor,      // potrf, and what decomposes a matrix
  attention,   // its own products, which no library makes
  pass,        // over elements, once
  copy,        // between host and device
};

/// Calls of one operation with the same sizes; those of a pass or a copy have none, and are all taken together.
struct Work {
  WorkKind kind;
  const char* operation;  // of backend.h
  bool is_float64;
  /// Of a product: the output's rows and columns, and what is summed over. Of a triangular system: right-hand sides and
  /// its order. Of a factor: its order.
  std::size_t rows = 0, columns = 0, inner = 0;
  double calls = 0;
  /// Of all calls, as backend/counted_flops.h counts, and attention's products, which that leaves out.
  double flops = 0;
  /// That all calls read and write if each operand passes once.
  double bytes = 0;
};

}  // namespace lyaplock
