// The quorum path of real nodes, beside its ceiling: three `ringwrightd` processes and the three of
// the sketch (bench/wire/sketch_node.h) take turns under one load client; the sketch twice, once
// sleeping whenever there is nothing to do and once looking first, as nodes do by `node.idle_poll`.
// n=3 r=2 w=2, every replica asked, over TCP on this machine.
//
// Usage: cluster_path [--ringwrightd PATH] [--dir /tmp] [--durability none] [--seconds 2]
//                     [--repeats 7] [--keys 100000] [--value-bytes 100] [--seed 42]
//                     [--only lww|siblings|64x1|rocksdb|ordered] [--set section.key=value]
//                     [--profile]
//
// --durability is that of the memory engine's runs; rocksdb always runs with `disk`.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/bench_support.h"
#include "bench/print_remarks.h"
#include "bench/wire/interrupt.h"
#include "bench/wire/measured_run.h"
#include "bench/wire/profile.h"
#include "bench/wire/ringwright_cluster.h"
#include "bench/wire/sketch_node.h"

namespace ringwright::bench {
namespace {

// As nodes look, unless they are told otherwise.
constexpr Nanoseconds sketch_idle_poll = microseconds(100);

struct Scenario {
  std::string name;
  std::string resolver;
  std::string engine;
  std::string durability;
  std::size_t connections;
  std::size_t window;
  bool unordered_replies;
};

struct Options {
  LoadSettings load;
  ClusterSettings cluster;
  std::string only;
  std::chrono::milliseconds duration;
  std::uint64_t repeats;
  bool profile;
};

Options parse(int argc, char** argv) {
  Options options;
  options.load.keys = number_argument(argc, argv, "keys", options.load.keys);
  options.load.value_bytes = number_argument(argc, argv, "value-bytes", options.load.value_bytes);
  options.load.seed = number_argument(argc, argv, "seed", options.load.seed);
  options.cluster.program = argument(argc, argv, "ringwrightd", "");
  options.cluster.parent = argument(argc, argv, "dir", "/tmp");
  options.cluster.durability = argument(argc, argv, "durability", "none");
  options.only = argument(argc, argv, "only", "");
  const double seconds = std::stod(argument(argc, argv, "seconds", "2"));
  options.duration = std::chrono::milliseconds(static_cast<long>(seconds * 1000));
  options.repeats = number_argument(argc, argv, "repeats", 7);
  options.profile = has_flag(argc, argv, "profile");
  for (int i = 1; i + 1 < argc; ++i)
    if (argv[i] == std::string_view("--set")) options.cluster.more.push_back(argv[i + 1]);
  return options;
}

void run(const Options& options, const Scenario& scenario) {
  ClusterSettings wanted = options.cluster;
  wanted.resolver = scenario.resolver;
  wanted.engine = scenario.engine;
  wanted.durability = scenario.durability;
  const auto cluster = need(RingwrightCluster::start(wanted), "ringwright");
  const auto sketch = need(SketchCluster::start(0), "the sketch");
  const auto polling = need(SketchCluster::start(sketch_idle_poll), "the polling sketch");

  LoadSettings load = options.load;
  load.connections = scenario.connections;
  load.window = scenario.window;
  const auto client_of = [&](const SketchCluster& nodes) {
    load.addresses = nodes.addresses();
    return need(LoadClient::connect(load, [] { return make_ringwright_codec({}); }), "the sketch");
  };
  const auto sketch_client = client_of(*sketch);
  const auto polling_client = client_of(*polling);
  load.addresses = cluster->addresses();
  load.contexts = scenario.resolver != "lww";
  const auto client =
      need(LoadClient::connect(load,
                               [&] {
                                 return make_ringwright_codec({scenario.unordered_replies, ""});
                               }),
           "ringwright");

  std::printf("\n%s: engine %s, durability %s, %s, %zu connections x %zu, replies %s\n",
              scenario.name.c_str(), wanted.engine.c_str(), wanted.durability.c_str(),
              load.contexts ? "siblings, contexts handed back" : "last write wins",
              scenario.connections, scenario.window,
              scenario.unordered_replies ? "as they come" : "in the order of the requests");
  const std::vector<Target> targets = {
      {"ringwright", client.get(), cluster->processes()},
      {"sketch", sketch_client.get(), sketch->processes()},
      {"polling sketch", polling_client.get(), polling->processes()}};
  for (const Target& target : targets) preload(target);
  print_measured_head();
  for (const Operation operation : {Operation::put, Operation::get}) {
    const auto samples = measure_alternating(targets, operation, options.duration, options.repeats);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      print_measured(targets[i].name, operation, samples[i]);
      print_nodes(samples[i]);
    }
    for (std::size_t i = 1; i < targets.size(); ++i)
      print_ratio("ringwright", samples[0], targets[i].name, samples[i]);
    if (options.profile) print_profile(targets[0], operation, options.duration);
  }
}

void run_all(const Options& options) {
  const std::string& durability = options.cluster.durability;
  const std::vector<Scenario> scenarios = {
      {"lww", "lww", "memory", durability, 4, 16, true},
      {"siblings", "vector_clock", "memory", durability, 4, 16, true},
      {"ordered", "vector_clock", "memory", durability, 4, 16, false},
      {"64x1", "vector_clock", "memory", durability, 64, 1, true},
      {"rocksdb", "vector_clock", "rocksdb", "disk", 4, 16, true},
  };
  print_machine();
  std::printf(
      "nodes     3 processes of ringwrightd and 3 of the sketch, n=3 r=2 w=2, every replica "
      "asked\n");
  for (const std::string& setting : options.cluster.more)
    std::printf("setting   %s\n", setting.c_str());
  for (const Scenario& scenario : scenarios)
    if (options.only.empty() || options.only == scenario.name) print_remarks(scenario.engine);
  print_load(options.load, options.duration, options.repeats);
  bool found = false;
  for (const Scenario& scenario : scenarios) {
    if (!options.only.empty() && options.only != scenario.name) continue;
    found = true;
    run(options, scenario);
  }
  require(found, "--only knows lww, siblings, ordered, 64x1 and rocksdb, not " + options.only);
}

}  // namespace
}  // namespace ringwright::bench

int main(int argc, char** argv) {
  ringwright::bench::catch_interrupts();
  ringwright::bench::run_all(ringwright::bench::parse(argc, argv));
}
