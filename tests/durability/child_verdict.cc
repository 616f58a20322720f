#include "tests/durability/child_verdict.h"

#include <sys/wait.h>
#include <unistd.h>

namespace ringwright::durability {

std::string child_verdict(const ProgressPage& page, const std::function<void()>& program) {
  const pid_t child = ::fork();
  if (child < 0) return "cannot fork";
  if (child == 0) {
    program();
    ::_exit(child_failed);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "died of signal " + std::to_string(WTERMSIG(status));
  if (WIFEXITED(status) && WEXITSTATUS(status) == child_verified) return {};
  return "exit " + std::to_string(WEXITSTATUS(status)) + ": " + page.failure.data();
}

}  // namespace ringwright::durability
