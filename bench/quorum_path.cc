// The quorum path within one process: three nodes over loopback on the memory engine, n=3 r=2 w=2.
// Prints operations a second and CPU microseconds per operation of the whole process, clients
// included. Asserts nothing.
//
// Usage: quorum_path [setting=value]...   durability=none shards=1 repeats=5 keys=5000 passes=4
//                                         value_bytes=100,1024 outstanding=1,16,64,256
//                                         engine=memory
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/random.h"
#include "replication/runtime/cluster.h"

namespace ringwright {
namespace {

using Options = std::map<std::string, std::string>;

std::vector<std::size_t> numbers(const std::string& text) {
  std::vector<std::size_t> parsed;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parsed.push_back(std::stoull(part));
  return parsed;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

struct Sample {
  double rate = 0;
  double cpu_us = 0;
  std::size_t failures = 0;
};

std::string spread(std::vector<double> values, const char* format) {
  std::sort(values.begin(), values.end());
  const double shown[] = {values[values.size() / 2], values.front(), values.back()};
  std::string text;
  for (int i = 0; i < 3; ++i) {
    char number[32];
    std::snprintf(number, sizeof(number), format, shown[i]);
    text += std::string(i == 0 ? "" : i == 1 ? " (" : " - ") + number;
  }
  return text + ")";
}

// Every key `passes` times, in an order of its own each time, so that no two puts of a batch meet.
std::vector<std::vector<Bytes>> draw_keys(std::size_t keys, std::size_t passes,
                                          SeededRandom& random) {
  std::vector<Bytes> order;
  for (std::size_t i = 0; i < keys; ++i) order.push_back("user" + std::to_string(i));
  std::vector<std::vector<Bytes>> drawn;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    for (std::size_t i = keys; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    drawn.push_back(order);
  }
  return drawn;
}

template <typename Run>
Sample measure(std::size_t operations, const Run& run) {
  const double start = seconds_now();
  const double cpu = cpu_seconds();
  Sample sample;
  sample.failures = run();
  sample.cpu_us = (cpu_seconds() - cpu) * 1e6 / static_cast<double>(operations);
  sample.rate = static_cast<double>(operations) / (seconds_now() - start);
  return sample;
}

template <typename Answers>
std::size_t failures(const Answers& answers) {
  return static_cast<std::size_t>(std::count_if(
      answers.begin(), answers.end(), [](const auto& answer) { return !answer.has_value(); }));
}

void print_machine() {
  utsname system{};
  uname(&system);
  std::string model = "unknown processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  std::printf("machine      %s, %u threads, %s %s\n", model.c_str(),
              std::thread::hardware_concurrency(), system.sysname, system.release);
}

void print_row(const char* name, std::size_t bytes, std::size_t outstanding,
               const std::vector<Sample>& samples) {
  std::vector<double> rates;
  std::vector<double> cpu;
  std::size_t failed = 0;
  for (const Sample& sample : samples) {
    rates.push_back(sample.rate);
    cpu.push_back(sample.cpu_us);
    failed += sample.failures;
  }
  std::printf("%-4s %5zu B %4zu outstanding  %-32s op/s  %-26s us CPU/op  %zu failed\n", name,
              bytes, outstanding, spread(rates, "%.0f").c_str(), spread(cpu, "%.1f").c_str(),
              failed);
  std::fflush(stdout);
}

void run(const Options& options) {
  constexpr std::uint64_t seed = 42;
  Settings settings;
  settings.set("node.shards", options.at("shards")).ignore("checked when the cluster opens");
  settings.set("keyspace.default.durability", options.at("durability")).ignore("likewise");
  settings.set("keyspace.default.engine", options.at("engine")).ignore("likewise");
  settings.set("client.timeout", "60s").ignore("likewise");
  auto cluster = Cluster::local(settings);
  if (!cluster) {
    std::fprintf(stderr, "%s\n", cluster.error().to_string().c_str());
    std::exit(1);
  }
  const std::size_t keys = std::stoull(options.at("keys"));
  const std::size_t passes = std::stoull(options.at("passes"));
  const std::size_t repeats = std::stoull(options.at("repeats"));
  print_machine();
  std::printf("settings     3 nodes, n=3 r=2 w=2, one client");
  for (const auto& [name, value] : options) std::printf(", %s=%s", name.c_str(), value.c_str());
  std::printf("\nseed         %llu\nshown        median (least - most) of the repeats\n\n",
              static_cast<unsigned long long>(seed));
  SeededRandom random(seed, "quorum_path");
  // One for all: it remembers what it wrote, so that each put replaces the one before.
  const auto client = *(*cluster)->client();
  for (const std::size_t bytes : numbers(options.at("value_bytes"))) {
    for (const std::size_t outstanding : numbers(options.at("outstanding"))) {
      const std::size_t operations = keys * passes;
      std::vector<Sample> puts;
      std::vector<Sample> gets;
      for (std::size_t repeat = 0; repeat <= repeats; ++repeat) {
        const auto drawn = draw_keys(keys, passes, random);
        std::vector<std::vector<PutItem>> items;
        for (const auto& pass : drawn) {
          items.emplace_back();
          for (const Bytes& key : pass)
            items.back().push_back({key, Bytes(bytes, 'v'), std::nullopt});
        }
        const Sample put = measure(operations, [&] {
          std::size_t failed = 0;
          for (const auto& pass : items)
            failed += failures(client->put_many(pass, {}, outstanding));
          return failed;
        });
        const Sample get = measure(operations, [&] {
          std::size_t failed = 0;
          for (const auto& pass : drawn)
            failed += failures(client->get_many(pass, {}, outstanding));
          return failed;
        });
        if (repeat == 0) continue;  // warms up
        puts.push_back(put);
        gets.push_back(get);
      }
      print_row("put", bytes, outstanding, puts);
      print_row("get", bytes, outstanding, gets);
    }
  }
}

}  // namespace
}  // namespace ringwright

int main(int count, char** arguments) {
  ringwright::Options options = {{"durability", "none"},
                                 {"shards", "1"},
                                 {"repeats", "5"},
                                 {"passes", "4"},
                                 {"value_bytes", "100,1024"},
                                 {"outstanding", "1,16,64,256"},
                                 {"keys", "5000"},
                                 {"engine", "memory"}};
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const auto equals = argument.find('=');
    if (equals == argument.npos || !options.contains(argument.substr(0, equals))) {
      std::fprintf(stderr, "unknown setting '%s'; known:", argument.c_str());
      for (const auto& [name, value] : options)
        std::fprintf(stderr, " %s=%s", name.c_str(), value.c_str());
      std::fprintf(stderr, "\n");
      return 2;
    }
    options[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
  ringwright::run(options);
}
