#include "bench/wire/node_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "bench/bench_support.h"
#include "bench/wire/interrupt.h"

namespace ringwright::bench {
namespace {

constexpr std::chrono::milliseconds await_pause{20};

// What is there to clean up. Belongs to the process that made it: a forked child has none.
struct Leftovers {
  int owner = 0;
  std::set<int> processes;
  std::set<std::string> directories;
};
Leftovers leftovers;

void clean_up() {
  if (leftovers.owner != ::getpid()) return;
  while (!leftovers.processes.empty()) end_process(*leftovers.processes.begin());
  while (!leftovers.directories.empty()) {
    const std::string directory = *leftovers.directories.begin();
    remove_directory(directory);
  }
}

Leftovers& own_leftovers() {
  if (leftovers.owner != ::getpid()) {
    leftovers = Leftovers{::getpid(), {}, {}};
    std::atexit(clean_up);
  }
  return leftovers;
}

// In a child: die with the parent, also when it is gone already.
void follow_parent(int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::uint64_t number_behind(const std::string& text, const char* name) {
  const std::size_t at = text.find(name);
  return at == text.npos ? 0 : std::strtoull(text.c_str() + at + std::strlen(name), nullptr, 10);
}

}  // namespace

int start_forked(const std::function<int()>& body) {
  own_leftovers();
  std::fflush(nullptr);
  const int parent = ::getpid();
  const int process = ::fork();
  if (process == 0) {
    follow_parent(parent);
    const int code = body();
    std::fflush(nullptr);
    ::_exit(code);  // what waits for the end of the parent is not the child's
  }
  if (process > 0) own_leftovers().processes.insert(process);
  return process;
}

Result<int> start_program(const std::vector<std::string>& command, const std::string& log_path,
                          int inherited) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (log < 0) return Status(Code::io_error, log_path + ": " + std::strerror(errno));
  own_leftovers();
  const int parent = ::getpid();
  const int process = ::fork();
  if (process == 0) {
    follow_parent(parent);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    if (inherited >= 0) ::fcntl(inherited, F_SETFD, 0);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ::close(log);
  if (process < 0) return Status(Code::io_error, command[0] + " did not start");
  own_leftovers().processes.insert(process);
  return process;
}

void end_process(int process) {
  if (own_leftovers().processes.erase(process) == 0) return;
  ::kill(process, SIGKILL);
  while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int await_process(int process, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < deadline && !interrupted()) {
    int status = 0;
    if (::waitpid(process, &status, WNOHANG) == process) {
      own_leftovers().processes.erase(process);
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::this_thread::sleep_for(await_pause);
  }
  end_process(process);
  return -1;
}

std::string directory_until_exit(const std::string& parent) {
  const std::string path = fresh_directory(parent);
  own_leftovers().directories.insert(path);
  return path;
}

void remove_directory(const std::string& directory) {
  if (own_leftovers().directories.erase(directory) == 0) return;
  std::error_code failed;
  std::filesystem::remove_all(directory, failed);
  if (failed) std::fprintf(stderr, "%s stays behind\n", directory.c_str());
}

ProcessUsage ProcessUsage::operator-(const ProcessUsage& before) const {
  return {user_us - before.user_us, system_us - before.system_us,
          voluntary_switches - before.voluntary_switches,
          involuntary_switches - before.involuntary_switches};
}

ProcessUsage& ProcessUsage::operator+=(const ProcessUsage& other) {
  user_us += other.user_us;
  system_us += other.system_us;
  voluntary_switches += other.voluntary_switches;
  involuntary_switches += other.involuntary_switches;
  return *this;
}

ProcessUsage usage_of(int process) {
  const std::string folder = "/proc/" + std::to_string(process);
  ProcessUsage usage;
  const std::string stat = read_file(folder + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end != stat.npos) {
    // utime and stime are fields 14 and 15; behind the name comes field 3.
    std::istringstream fields(stat.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    const double tick_us = 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
    usage.user_us = user * tick_us;
    usage.system_us = system * tick_us;
  }
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(folder + "/task", gone)) {
    const std::string status = read_file(task.path().string() + "/status");
    usage.voluntary_switches += number_behind(status, "\nvoluntary_ctxt_switches:");
    usage.involuntary_switches += number_behind(status, "\nnonvoluntary_ctxt_switches:");
  }
  return usage;
}

}  // namespace ringwright::bench
