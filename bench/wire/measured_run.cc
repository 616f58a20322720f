#include "bench/wire/measured_run.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>

#include "bench/bench_support.h"
#include "bench/wire/interrupt.h"

namespace ringwright::bench {
namespace {

template <typename Of>
double median_of(const std::vector<Measured>& samples, const Of& of) {
  std::vector<double> values;
  for (const Measured& sample : samples) values.push_back(of(sample));
  return median(values);
}

LoadResult checked(const Target& target, Result<LoadResult> result) {
  if (interrupted()) std::exit(130);
  require(result.has_value(), target.name + ": " + (result ? "" : result.error().to_string()));
  require(result->mismatches == 0, target.name + ": " + result->complaint());
  return *std::move(result);
}

}  // namespace

ProcessUsage Measured::all_nodes() const {
  ProcessUsage sum;
  for (const ProcessUsage& node : nodes) sum += node;
  return sum;
}

double Measured::per_operation(double total) const {
  return load.operations == 0 ? 0 : total / static_cast<double>(load.operations);
}

void preload(const Target& target) {
  const LoadResult result = checked(target, target.client->preload());
  require(result.error_count() == 0, target.name + ", first puts: " + result.complaint());
}

Measured measure(const Target& target, Operation operation, std::chrono::milliseconds duration) {
  std::vector<ProcessUsage> before;
  for (const int process : target.processes) before.push_back(usage_of(process));
  Measured measured;
  measured.load = checked(target, target.client->run(operation, duration));
  for (std::size_t i = 0; i < before.size(); ++i)
    measured.nodes.push_back(usage_of(target.processes[i]) - before[i]);
  require(measured.load.operations > 0, target.name + ": " + measured.load.complaint());
  return measured;
}

const char* operation_name(Operation operation) {
  return operation == Operation::put ? "put" : "get";
}

void print_load(const LoadSettings& settings, std::chrono::milliseconds duration,
                std::uint64_t repeats) {
  double load[1] = {0};
  ::getloadavg(load, 1);
  std::printf(
      "load      %zu connections x %zu outstanding, %zu keys of 16 bytes drawn uniformly, values "
      "of "
      "%zu bytes\nseed      %llu\nrepeats   %llu of %.1f s each, after one that is not counted; "
      "median [least - greatest]\nbefore    %.2f processes running (1-minute load average)\n",
      settings.connections, settings.window, settings.keys, settings.value_bytes,
      static_cast<unsigned long long>(settings.seed), static_cast<unsigned long long>(repeats),
      static_cast<double>(duration.count()) / 1e3, load[0]);
}

void print_measured_head() {
  std::printf("\n%-22s %-4s %9s %-20s %8s %8s %8s   %7s %7s %7s   %s\n", "CPU us/op: client,", "",
              "ops/s", "[least - greatest]", "p50 us", "p99 us", "p99.9 us", "client", "nodes",
              "system", "switches/op");
}

void print_measured(const std::string& name, Operation operation,
                    const std::vector<Measured>& samples) {
  std::vector<double> rates;
  for (const Measured& sample : samples) rates.push_back(sample.rate());
  const auto [least, greatest] = std::minmax_element(rates.begin(), rates.end());
  char spread[64];
  std::snprintf(spread, sizeof(spread), "[%.0f - %.0f]", *least, *greatest);
  const auto quantile = [&](double share) {
    return median_of(samples, [&](const Measured& m) { return m.load.latency.quantile_us(share); });
  };
  const auto nodes = [&](const auto& of) {
    return median_of(samples, [&](const Measured& m) {
      return m.per_operation(static_cast<double>(of(m.all_nodes())));
    });
  };
  std::printf("%-22s %-4s %9.0f %-20s %8.0f %8.0f %8.0f   %7.2f %7.2f %7.2f   %.2f + %.2f\n",
              name.c_str(), operation_name(operation), median(rates), spread, quantile(0.5),
              quantile(0.99), quantile(0.999),
              median_of(samples, [](const Measured& m) { return m.load.cpu_us_per_operation(); }),
              nodes([](const ProcessUsage& u) { return u.user_us + u.system_us; }),
              nodes([](const ProcessUsage& u) { return u.system_us; }),
              nodes([](const ProcessUsage& u) { return u.voluntary_switches; }),
              nodes([](const ProcessUsage& u) { return u.involuntary_switches; }));
  for (const Measured& sample : samples)
    if (!sample.load.complaint().empty())
      std::printf("  ! of one run: %s\n", sample.load.complaint().c_str());
  std::fflush(stdout);
}

}  // namespace ringwright::bench
