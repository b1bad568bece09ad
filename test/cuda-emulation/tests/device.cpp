#include "device.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace cuda_emulation::test {

void expect_fault(const char* file, int line, const std::vector<std::string>& words,
                  const std::function<void()>& mistake) {
  std::array<int, 2> pipe_ends;
  CHECK(pipe(pipe_ends.data()) == 0);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipe_ends[1], STDERR_FILENO);
    try {
      mistake();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "exception: %s\n", error.what());
      _exit(0);
    }
    std::exit(0);  // leaks are looked for
  }
  close(pipe_ends[1]);
  std::string said;
  std::array<char, 4096> buffer;
  for (ssize_t count = 0; (count = read(pipe_ends[0], buffer.data(), buffer.size())) > 0;)
    said.append(buffer.data(), static_cast<std::size_t>(count));
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) lyaplock::test::fail(file, line, "nothing was noticed. " + said);
  for (const std::string& word : words)
    if (said.find(word) == std::string::npos)
      lyaplock::test::fail(file, line, "this does not say \"" + word + "\": " + said);
}

}  // namespace cuda_emulation::test
