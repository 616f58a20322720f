#pragma once

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

// What benchmarks share: the clock they are judged by, alternating pairs, and the printed frame.
// A benchmark asserts nothing about time; it prints how sure it can be.
namespace ringwright::bench {

// CPU time of the calling thread. Threads that an engine runs in the background are not in it, and
// neither is the time in which another process had the core.
inline double thread_cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// Of an even count the mean of the two in the middle.
inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Costs per operation of two sides that took turns; index i of both ran next to each other.
struct Pairs {
  std::vector<double> left;
  std::vector<double> right;

  std::vector<double> ratios() const {
    std::vector<double> all;
    for (std::size_t i = 0; i < left.size(); ++i) all.push_back(left[i] / right[i]);
    return all;
  }
};

// Runs both sides `repeats` times after one unmeasured turn each. Which side goes first changes
// from pair to pair, so that a machine that slows down or speeds up favours neither. A side takes
// the number of its turn and answers its cost per operation.
template <typename Left, typename Right>
Pairs alternate(int repeats, Left&& left, Right&& right) {
  left(0);
  right(0);
  Pairs pairs;
  for (int turn = 1; turn <= repeats; ++turn) {
    if (turn % 2 != 0) pairs.left.push_back(left(turn));
    pairs.right.push_back(right(turn));
    if (turn % 2 == 0) pairs.left.push_back(left(turn));
  }
  return pairs;
}

// One line: both medians and the median of the paired ratios with its least and greatest.
inline void print_pairs(const std::string& title, const Pairs& pairs) {
  const std::vector<double> ratios = pairs.ratios();
  const auto [least, greatest] = std::minmax_element(ratios.begin(), ratios.end());
  std::printf("%-26s %9.3f %9.3f   %6.3f  [%.3f - %.3f]\n", title.c_str(), median(pairs.left),
              median(pairs.right), median(ratios), *least, *greatest);
  std::fflush(stdout);
}

inline void print_pairs_head(const std::string& left, const std::string& right) {
  std::printf("%-26s %9s %9s   %6s  %s\n", "CPU us per operation", left.c_str(), right.c_str(),
              "ratio", "[least - greatest]");
}

inline std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

inline void print_machine() {
  utsname system{};
  ::uname(&system);
  std::printf("machine   %s, %ld processors, %s %s, compiler %s\n", processor_name().c_str(),
              ::sysconf(_SC_NPROCESSORS_ONLN), system.sysname, system.release, __VERSION__);
}

// `--name value` anywhere on the command line, else `fallback`.
inline std::string argument(int argc, char** argv, std::string_view name, std::string fallback) {
  for (int i = 1; i + 1 < argc; ++i)
    if (argv[i] == "--" + std::string(name)) return argv[i + 1];
  return fallback;
}

inline std::uint64_t number_argument(int argc, char** argv, std::string_view name,
                                     std::uint64_t fallback) {
  const std::string text = argument(argc, argv, name, "");
  return text.empty() ? fallback : std::strtoull(text.c_str(), nullptr, 10);
}

// `--name` anywhere on the command line.
inline bool has_flag(int argc, char** argv, std::string_view name) {
  return std::find(argv + 1, argv + argc, "--" + std::string(name)) != argv + argc;
}

// Ends the benchmark when something that it needs did not work: there is nothing to measure then.
[[noreturn]] inline void give_up(const std::string& what) {
  std::fprintf(stderr, "benchmark stopped: %s\n", what.c_str());
  std::exit(1);
}

inline void require(bool ok, const std::string& what) {
  if (!ok) give_up(what);
}

// Where time is measured: makes no string of `what` unless it is needed.
inline void require(bool ok, const char* what) {
  if (!ok) give_up(what);
}

// An empty directory below `parent`, for this process alone.
inline std::string fresh_directory(const std::string& parent) {
  std::string path = parent + "/ringwright-bench-XXXXXX";
  require(::mkdtemp(path.data()) != nullptr, "no directory in " + parent);
  return path;
}

}  // namespace ringwright::bench
