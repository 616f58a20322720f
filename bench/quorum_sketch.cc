// The ceiling of the quorum path: three processes that do nothing but replicate (see
// bench/wire/sketch_node.h), driven over TCP by the load client that drives real nodes too.
//
// Usage: quorum_sketch [--connections 4] [--window 16] [--seconds 2] [--repeats 5] [--keys 100000]
//                      [--value-bytes 100] [--seed 42]
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/bench_support.h"
#include "bench/wire/interrupt.h"
#include "bench/wire/measured_run.h"
#include "bench/wire/sketch_node.h"

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

  auto cluster = SketchCluster::start();
  require(cluster.has_value(), cluster ? "" : cluster.error().to_string());
  settings.addresses = (*cluster)->addresses();
  auto client = LoadClient::connect(settings, [] { return make_ringwright_codec({}); });
  require(client.has_value(), client ? "" : client.error().to_string());

  print_machine();
  print_load(settings, duration, repeats);
  Target sketch{"sketch", client->get(), (*cluster)->processes()};
  preload(sketch);
  print_measured_head();
  for (const Operation operation : {Operation::put, Operation::get}) {
    std::vector<Measured> samples;
    measure(sketch, operation, duration);  // warms up
    for (std::uint64_t i = 0; i < repeats; ++i)
      samples.push_back(measure(sketch, operation, duration));
    print_measured(sketch.name, operation, samples);
  }
}

}  // namespace
}  // namespace ringwright::bench

int main(int argc, char** argv) {
  ringwright::bench::catch_interrupts();
  ringwright::bench::run(argc, argv);
}
