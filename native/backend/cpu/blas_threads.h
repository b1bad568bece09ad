// What BLAS libraries offer beyond the BLAS interface, asked for by name when the program runs.
#pragma once

#include <cstddef>
#include <string>

namespace lyaplock::cpu {

/// Sets how many threads the BLAS library uses, where it has a function for that (OpenBLAS, MKL).
void set_blas_threads(std::size_t threads);

/// For people: the library and, where it tells, the kernels it chose: "OpenBLAS Haswell".
std::string blas_name();

}  // namespace lyaplock::cpu
