#include "bench/wire/profile.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "bench/wire/node_process.h"

namespace ringwright::bench {
namespace {

constexpr std::size_t lines_max = 40;
constexpr std::size_t line_columns_max = 130;  // names of templates go on for ever
constexpr std::chrono::seconds report_timeout{60};

std::string find_perf() {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((folder + "/perf").c_str(), X_OK) == 0) return folder + "/perf";
  return {};
}

void print_log(const std::string& path) {
  std::ifstream file(path);
  std::size_t printed = 0;
  for (std::string line; printed < lines_max && std::getline(file, line);) {
    // Some versions of perf add columns of dashes.
    line.resize(line.find_last_not_of(" -") + 1);
    if (line.empty() || line[0] == '#') continue;
    std::printf("      %s\n", line.substr(0, line_columns_max).c_str());
    ++printed;
  }
}

}  // namespace

void print_profile(const Target& target, Operation operation, std::chrono::milliseconds duration) {
  const std::string perf = find_perf();
  if (perf.empty()) {
    std::printf("    no profile: perf is not installed (Debian package linux-perf)\n");
    return;
  }
  const std::string directory = directory_until_exit("/tmp");
  const std::string data = directory + "/perf.data";
  std::string processes;
  for (const int process : target.processes)
    processes += (processes.empty() ? "" : ",") + std::to_string(process);
  // The hardware's counters are often missing in virtual machines; the clock is always there.
  const auto recording = start_program(
      {perf, "record", "-e", "cpu-clock", "-F", "1999", "-o", data, "-p", processes, "--",
       "/bin/sleep", std::to_string(static_cast<double>(duration.count()) / 1e3)},
      directory + "/record.log", -1);
  measure(target, operation, duration);
  const bool recorded = recording && await_process(*recording, duration + report_timeout) == 0;
  std::printf("    profile of all nodes, %s %s:\n", target.name.c_str(), operation_name(operation));
  if (!recorded) {
    print_log(directory + "/record.log");
  } else {
    for (const char* const keys : {"dso", "dso,symbol"}) {
      const auto report = start_program(
          {perf, "report", "--stdio", "-i", data, "--sort", keys, "--percent-limit", "0.7"},
          directory + "/report.log", -1);
      if (report) await_process(*report, report_timeout);
      print_log(directory + "/report.log");
    }
  }
  std::fflush(stdout);
  remove_directory(directory);
}

}  // namespace ringwright::bench
