// The load client by itself, against a system that runs already. Reads commands from its input, one
// on a line, and answers each with one line of JSON:
//   preload       puts every key once
//   put SECONDS   puts keys drawn uniformly
//   get SECONDS
// Exits with 1 when an answer was wrong or lost, or a command is none of these.
//
// Usage: echo 'preload
//        put 2' | load --addresses HOST:PORT[,HOST:PORT]... [--protocol ringwright|redis]
//             [--connections 4] [--window 16] [--keys 100000] [--value-bytes 100] [--seed 42]
//             [--contexts yes|no] [--keyspace NAME] [--ordered yes|no] [--wait-replicas 1]
//
// --contexts and --keyspace are Ringwright's: the first is for keyspaces that keep siblings and
// hold none of the keys before `preload`. --wait-replicas is that of the WAIT of Redis; 0: no WAIT.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "bench/bench_support.h"
#include "bench/wire/interrupt.h"
#include "bench/wire/measured_run.h"

namespace ringwright::bench {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

bool flag_argument(int argc, char** argv, std::string_view name) {
  const std::string value = argument(argc, argv, name, "no");
  require(value == "yes" || value == "no", "--" + std::string(name) + " is yes or no");
  return value == "yes";
}

std::unique_ptr<ClientCodec> make_codec(int argc, char** argv) {
  const std::string protocol = argument(argc, argv, "protocol", "ringwright");
  if (protocol == "redis")
    return make_redis_codec(
        {.wait_replicas = static_cast<int>(number_argument(argc, argv, "wait-replicas", 1))});
  require(protocol == "ringwright", "--protocol is ringwright or redis, not " + protocol);
  return make_ringwright_codec({.unordered_replies = !flag_argument(argc, argv, "ordered"),
                                .keyspace = argument(argc, argv, "keyspace", "")});
}

LoadSettings parse(int argc, char** argv) {
  LoadSettings settings;
  settings.addresses = split(argument(argc, argv, "addresses", ""));
  settings.connections = number_argument(argc, argv, "connections", settings.connections);
  settings.window = number_argument(argc, argv, "window", settings.window);
  settings.keys = number_argument(argc, argv, "keys", settings.keys);
  settings.value_bytes = number_argument(argc, argv, "value-bytes", settings.value_bytes);
  settings.seed = number_argument(argc, argv, "seed", settings.seed);
  settings.contexts = flag_argument(argc, argv, "contexts");
  return settings;
}

void print(const LoadResult& result) {
  const nlohmann::json line = {{"operations", result.operations},
                               {"seconds", result.seconds},
                               {"rate", result.rate()},
                               {"p50_us", result.latency.quantile_us(0.5)},
                               {"p99_us", result.latency.quantile_us(0.99)},
                               {"p999_us", result.latency.quantile_us(0.999)},
                               {"client_cpu_us", result.cpu_us},
                               {"errors", result.errors},
                               {"first_error", result.first_error},
                               {"absent", result.absent},
                               {"siblings", result.siblings}};
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

Measured obey(const Target& target, const std::string& command) {
  std::istringstream in(command);
  std::string verb;
  double seconds = 0;
  in >> verb;
  if (verb == "preload") return preload(target);
  require((verb == "put" || verb == "get") && in >> seconds && seconds > 0,
          "'" + command + "' is no command; write: preload, put SECONDS or get SECONDS");
  return measure(target, verb == "put" ? Operation::put : Operation::get,
                 std::chrono::milliseconds(static_cast<long>(seconds * 1000)));
}

void run(int argc, char** argv) {
  const auto client = need(
      LoadClient::connect(parse(argc, argv), [&] { return make_codec(argc, argv); }), "the load");
  const Target target{argument(argc, argv, "protocol", "ringwright"), client.get(), {}};
  for (std::string command; std::getline(std::cin, command);) print(obey(target, command).load);
}

}  // namespace
}  // namespace ringwright::bench

int main(int argc, char** argv) {
  ringwright::bench::catch_interrupts();
  ringwright::bench::run(argc, argv);
}
