#include "backend_test.h"

#ifdef LYAPLOCK_CUDA
#include "backend/cuda/create_cuda_backend.h"
#endif

namespace lyaplock::test {

const std::vector<NamedBackend>& backends() {
  static const std::vector<NamedBackend> all = {
#ifdef LYAPLOCK_CUDA
      {"cuda", [] { return create_cuda_backend({}); }},
#else
      {"cpu, 1 thread", [] { return create_cpu_backend(1); }},
      {"cpu, 3 threads", [] { return create_cpu_backend(3); }},
#endif
  };
  return all;
}

}  // namespace lyaplock::test
