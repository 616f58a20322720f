// The ceiling of the quorum path: three processes that do nothing but replicate (see
// bench/wire/sketch_node.h), driven over TCP by the load client that drives real nodes too.
//
// Usage: quorum_sketch [--connections 4] [--window 16] [--seconds 2] [--repeats 5] [--keys 100000]
//                      [--value-bytes 100] [--seed 42] [--idle-poll 0s] [--profile]
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/bench_support.h"
#include "bench/wire/interrupt.h"
#include "bench/wire/measured_run.h"
#include "bench/wire/profile.h"
#include "bench/wire/sketch_node.h"
#include "engine/base/units.h"

namespace ringwright::bench {
namespace {

void run(int argc, char** argv) {
  LoadSettings settings;
  settings.connections = number_argument(argc, argv, "connections", settings.connections);
  settings.window = number_argument(argc, argv, "window", settings.window);
  settings.keys = number_argument(argc, argv, "keys", settings.keys);
  settings.value_bytes = number_argument(argc, argv, "value-bytes", settings.value_bytes);
  settings.seed = number_argument(argc, argv, "seed", settings.seed);
  const auto seconds = std::stod(argument(argc, argv, "seconds", "2"));
  const auto duration = std::chrono::milliseconds(static_cast<long>(seconds * 1000));
  const auto repeats = number_argument(argc, argv, "repeats", 5);

  const auto idle_poll =
      need(parse_duration(argument(argc, argv, "idle-poll", "0s")), "--idle-poll");
  const auto cluster = need(SketchCluster::start(idle_poll), "the sketch");
  settings.addresses = cluster->addresses();
  const auto client =
      need(LoadClient::connect(settings, [] { return make_ringwright_codec({}); }), "the sketch");

  print_machine();
  print_load(settings, duration, repeats);
  std::printf("\nsketch: in memory, n=3 r=2 w=2, %zu connections x %zu\n", settings.connections,
              settings.window);
  const Target sketch{"sketch", client.get(), cluster->processes()};
  preload(sketch);
  print_measured_head();
  for (const Operation operation : {Operation::put, Operation::get}) {
    const auto samples = measure_alternating({sketch}, operation, duration, repeats);
    print_measured(sketch.name, operation, samples[0]);
    print_nodes(samples[0]);
    if (has_flag(argc, argv, "profile")) print_profile(sketch, operation, duration);
  }
}

}  // namespace
}  // namespace ringwright::bench

int main(int argc, char** argv) {
  ringwright::bench::catch_interrupts();
  ringwright::bench::run(argc, argv);
}
