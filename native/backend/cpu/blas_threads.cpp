#include "backend/cpu/blas_threads.h"

#include <dlfcn.h>

#include <algorithm>

namespace lyaplock::cpu {

namespace {

/// The function of that name among the libraries this one was linked with, or null.
template <class Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void set_blas_threads(std::size_t threads) {
  const int count = static_cast<int>(std::min<std::size_t>(threads, 1024));
  if (auto* set_openblas = find<void(int)>("openblas_set_num_threads")) set_openblas(count);
  if (auto* set_mkl = find<void(int)>("MKL_Set_Num_Threads")) set_mkl(count);
}

std::string blas_name() {
  if (auto* kernels = find<char*()>("openblas_get_corename")) return std::string("OpenBLAS ") + kernels();
  if (find<void(int)>("MKL_Set_Num_Threads") != nullptr) return "MKL";
#if defined(__APPLE__)
  return "Accelerate";
#else
  return "BLAS";
#endif
}

}  // namespace lyaplock::cpu
