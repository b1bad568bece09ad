#include "backend_test.h"

namespace lyaplock::test {

const std::vector<NamedBackend>& backends() {
  static const std::vector<NamedBackend> all = {
      {"cpu, 1 thread", [] { return create_cpu_backend(1); }},
      {"cpu, 3 threads", [] { return create_cpu_backend(3); }},
  };
  return all;
}

}  // namespace lyaplock::test
