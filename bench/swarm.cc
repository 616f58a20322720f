// Runs random simulations, one a seed, and judges each.
//
//   swarm [--from A] [--to B] [--jobs N] [--twice] [--history] [--bug NAME]
//
// Runs the seeds A to B (1 to 100), N of them at once in processes of their own. A failing seed is
// printed with its parameters and the evidence; --history adds what its clients saw, as JSON lines.
// --twice runs each seed a second time and compares the digests. --bug switches a known bug on
// (only in a build with RINGWRIGHT_SEEDED_BUGS) and stops at the first seed that catches it. Exits
// with 0 when all is well (with --bug: when it was caught), 8 when a check failed.

#include "replication/simulation/swarm.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engine/base/seeded_bug.h"

namespace {

using namespace ringwright;

struct Arguments {
  std::uint64_t from = 1;
  std::uint64_t to = 100;
  std::uint64_t jobs = 1;
  bool twice = false;
  bool history = false;
  std::string bug;
};

constexpr std::pair<const char*, SeededBug> bugs[] = {
    {"dot_reuse_after_amnesia", SeededBug::dot_reuse_after_amnesia},
    {"send_before_own_apply", SeededBug::send_before_own_apply},
    {"error_taken_for_absence", SeededBug::error_taken_for_absence},
    {"merge_drops_sibling", SeededBug::merge_drops_sibling},
    {"delete_forgets_context", SeededBug::delete_forgets_context},
    {"own_write_overtakes", SeededBug::own_write_overtakes},
    {"stand_in_row_removed_unread", SeededBug::stand_in_row_removed_unread},
    {"mark_kept_from_peer", SeededBug::mark_kept_from_peer},
};

int usage() {
  std::fprintf(stderr,
               "usage: swarm [--from A] [--to B] [--jobs N] [--twice] [--history] [--bug NAME]\n");
  return 2;
}

bool parse(int count, char** words, Arguments& arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--twice") {
      arguments.twice = true;
      continue;
    }
    if (word == "--history") {
      arguments.history = true;
      continue;
    }
    if (++i >= count) return false;
    const char* end = words[i] + std::strlen(words[i]);
    std::uint64_t* number = word == "--from"   ? &arguments.from
                            : word == "--to"   ? &arguments.to
                            : word == "--jobs" ? &arguments.jobs
                                               : nullptr;
    if (number != nullptr) {
      if (std::from_chars(words[i], end, *number).ptr != end) return false;
    } else if (word == "--bug") {
      arguments.bug = words[i];
    } else {
      return false;
    }
  }
  return arguments.jobs > 0 && arguments.jobs <= 64 && arguments.from <= arguments.to;
}

bool switch_on(const std::string& name) {
#ifdef RINGWRIGHT_SEEDED_BUGS
  for (const auto& [known, bug] : bugs) {
    if (name != known) continue;
    active_seeded_bug = bug;
    return true;
  }
  std::fprintf(stderr, "there is no bug '%s'; known are:\n", name.c_str());
  for (const auto& [known, bug] : bugs) std::fprintf(stderr, "  %s\n", known);
#else
  std::fprintf(stderr,
               "this build has no bugs put in, so not '%s': configure with "
               "-DRINGWRIGHT_SEEDED_BUGS=ON\n",
               name.c_str());
#endif
  return false;
}

// The first checkpoint of the trace at which two runs of one seed differ.
std::string first_difference(const SwarmResult& one, const SwarmResult& other) {
  const auto length = std::min(one.checkpoints.size(), other.checkpoints.size());
  std::size_t same = 0;
  while (same < length && one.checkpoints[same] == other.checkpoints[same]) ++same;
  return "the traces part between events " + std::to_string(same * 1000) + " and " +
         std::to_string((same + 1) * 1000);
}

bool run_seed(std::uint64_t seed, const Arguments& arguments,
              std::map<std::string, std::uint64_t>& sums) {
  SwarmResult result = run_swarm(seed);
  if (arguments.twice) {
    const SwarmResult again = run_swarm(seed);
    if (again.digest != result.digest)
      result.violations.push_back("two runs differ: digests " + result.digest + " and " +
                                  again.digest + "; " + first_difference(result, again));
  }
  ++sums["seeds"];
  for (const auto& [name, value] : result.counters) sums[name] += value;
  if (result.violations.empty()) return true;
  ++sums["seeds_failed"];
  std::printf("seed %llu failed, digest %s\n%s", static_cast<unsigned long long>(seed),
              result.digest.c_str(), describe_parameters(result).c_str());
  for (const std::string& sentence : result.violations) std::printf("  ! %s\n", sentence.c_str());
  if (arguments.history) std::fputs(to_json_lines(result.history).c_str(), stdout);
  std::fflush(stdout);
  return false;
}

// Every jobs-th seed, from `first` on.
bool run_share(std::uint64_t first, const Arguments& arguments,
               std::map<std::string, std::uint64_t>& sums) {
  bool good = true;
  for (std::uint64_t seed = first; seed <= arguments.to; seed += arguments.jobs) {
    good = run_seed(seed, arguments, sums) && good;
    if (!good && !arguments.bug.empty()) break;
  }
  return good;
}

// A child per job; each writes its sums into a pipe, as "name value" lines.
bool run_forked(const Arguments& arguments, std::map<std::string, std::uint64_t>& sums) {
  std::vector<std::pair<pid_t, int>> children;
  for (std::uint64_t job = 0; job < arguments.jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    const pid_t child = fork();
    if (child < 0) return false;
    if (child == 0) {
      close(ends[0]);
      std::map<std::string, std::uint64_t> own;
      const bool good = run_share(arguments.from + job, arguments, own);
      std::FILE* out = fdopen(ends[1], "w");
      for (const auto& [name, value] : own)
        std::fprintf(out, "%s %llu\n", name.c_str(), static_cast<unsigned long long>(value));
      std::fclose(out);
      std::fflush(stdout);
      _exit(good ? 0 : 8);
    }
    close(ends[1]);
    children.emplace_back(child, ends[0]);
  }
  bool good = true;
  for (const auto& [child, end] : children) {
    std::FILE* in = fdopen(end, "r");
    char name[128];
    unsigned long long value = 0;
    while (std::fscanf(in, "%127s %llu", name, &value) == 2) sums[name] += value;
    std::fclose(in);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
      std::printf("a job died of signal %d: run its seeds alone\n", WTERMSIG(status));
    good = good && status == 0;
  }
  return good;
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  if (!parse(count, words, arguments)) return usage();
  if (!arguments.bug.empty() && !switch_on(arguments.bug)) return 2;
  const auto began = std::chrono::steady_clock::now();
  std::map<std::string, std::uint64_t> sums;
  // A known bug may also break an invariant and stop its process: that is caught as well.
  const bool alone = arguments.jobs == 1 && arguments.bug.empty();
  const bool good =
      alone ? run_share(arguments.from, arguments, sums) : run_forked(arguments, sums);
  const auto took =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
  for (const auto& [name, value] : sums)
    std::printf("%-48s %12llu\n", name.c_str(), static_cast<unsigned long long>(value));
  if (sums["seeds"] > 0)
    std::printf("%-48s %12.2f\n", "ms_per_seed", took / static_cast<double>(sums["seeds"]));
  if (!arguments.bug.empty()) {
    std::printf("%s was %s\n", arguments.bug.c_str(), good ? "NOT caught" : "caught");
    return good ? 8 : 0;
  }
  return good ? 0 : 8;
}
