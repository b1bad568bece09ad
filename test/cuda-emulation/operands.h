// Column-major matrices as arguments: which bytes a call names, which it reads and which it writes.
#pragma once

#include <cublas_v2.h>

#include <cstddef>

namespace cuda_emulation {

/// `strictly` without the diagonal.
enum class Part { all, lower, upper, strictly_lower, strictly_upper };

inline Part triangle(cublasFillMode_t uplo) { return uplo == CUBLAS_FILL_MODE_LOWER ? Part::lower : Part::upper; }

struct Operand {
  const char* name;
  const void* data;
  int rows;
  int cols;
  int stride;           // leading dimension, in elements
  std::size_t element;  // bytes
  Part part = Part::all;
};

/// When the call is made: sizes are not negative, the leading dimension is at least max(1, rows), the address is
/// aligned to the element, and all of it is device memory.
void check_operand(const Operand& operand);
/// What is written must not be read as another argument.
void check_apart(const Operand& written, const Operand& read);
/// When its turn comes: everything that is read has been written before.
void check_readable(const Operand& operand);
/// When its turn comes: is there, and is initialised from now on.
void check_writable(const Operand& operand);
void mark_written(const Operand& operand);
/// What the documentation calls destroyed.
void mark_destroyed(const Operand& operand);

/// Faults unless the value is one of the enumeration's.
void check_flag(const char* name, int value, int first, int last);

}  // namespace cuda_emulation
