#include "bench/wire/measured_run.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>

#include "bench/bench_support.h"
#include "bench/wire/interrupt.h"

namespace ringwright::bench {
namespace {

constexpr int interrupted_exit_code = 130;

template <typename Of>
double median_of(const std::vector<Measured>& samples, const Of& of) {
  std::vector<double> values;
  for (const Measured& sample : samples) values.push_back(of(sample));
  return median(values);
}

LoadResult checked(const Target& target, Result<LoadResult> outcome) {
  LoadResult result = need(std::move(outcome), target.name);
  require(result.mismatches == 0, target.name + ": " + result.complaint());
  return result;
}

std::string with_spread(std::vector<double> values, const char* format) {
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  char text[96];
  std::snprintf(text, sizeof(text), format, median(values), *least, *greatest);
  return text;
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

Measured preload(const Target& target) {
  Measured measured;
  measured.load = checked(target, target.client->preload());
  const LoadResult& result = measured.load;
  require(result.error_count() == 0, target.name + ", first puts: " + result.complaint());
  return measured;
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

void stop(const std::string& why) {
  if (interrupted()) std::exit(interrupted_exit_code);
  require(false, why);
  std::abort();  // not reached
}

std::vector<std::vector<Measured>> measure_alternating(const std::vector<Target>& targets,
                                                       Operation operation,
                                                       std::chrono::milliseconds duration,
                                                       std::uint64_t repeats) {
  std::vector<std::vector<Measured>> samples(targets.size());
  for (const Target& target : targets) measure(target, operation, duration);
  for (std::uint64_t turn = 0; turn < repeats; ++turn) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const std::size_t which = (i + turn) % targets.size();
      samples[which].push_back(measure(targets[which], operation, duration));
    }
  }
  return samples;
}

void print_nodes(const std::vector<Measured>& samples) {
  for (std::size_t node = 0; node < samples.front().nodes.size(); ++node) {
    const auto of = [&](const auto& part) {
      return median_of(samples, [&](const Measured& m) {
        return m.per_operation(static_cast<double>(part(m.nodes[node])));
      });
    };
    std::printf(
        "    node%zu  CPU us/op: user %.2f, system %.2f; waits/op %.3f, taken off/op %.3f\n",
        node + 1, of([](const ProcessUsage& u) { return u.user_us; }),
        of([](const ProcessUsage& u) { return u.system_us; }),
        of([](const ProcessUsage& u) { return u.voluntary_switches; }),
        of([](const ProcessUsage& u) { return u.involuntary_switches; }));
  }
}

void print_ratio(const std::string& left_name, const std::vector<Measured>& left,
                 const std::string& right_name, const std::vector<Measured>& right) {
  std::vector<double> rates;
  std::vector<double> cpu;
  const auto cpu_of = [](const Measured& m) {
    const ProcessUsage all = m.all_nodes();
    return m.per_operation(all.user_us + all.system_us);
  };
  for (std::size_t i = 0; i < left.size(); ++i) {
    rates.push_back(left[i].rate() / right[i].rate());
    cpu.push_back(cpu_of(left[i]) / cpu_of(right[i]));
  }
  std::printf("    %s / %s: ops/s %s, CPU of the nodes %s\n", left_name.c_str(), right_name.c_str(),
              with_spread(rates, "%.3f [%.3f - %.3f]").c_str(),
              with_spread(cpu, "%.2f [%.2f - %.2f]").c_str());
  std::fflush(stdout);
}

const char* operation_name(Operation operation) {
  return operation == Operation::put ? "put" : "get";
}

void print_load(const LoadSettings& settings, std::chrono::milliseconds duration,
                std::uint64_t repeats) {
  double load[1] = {0};
  ::getloadavg(load, 1);
  std::printf("load      %zu keys of 16 bytes drawn uniformly, values of %zu bytes, seed %llu\n",
              settings.keys, settings.value_bytes, static_cast<unsigned long long>(settings.seed));
  std::printf(
      "repeats   %llu of %.1f s each, after one that is not counted; "
      "median [least - greatest]\n",
      static_cast<unsigned long long>(repeats), static_cast<double>(duration.count()) / 1e3);
  std::printf("before    %.2f processes running (1-minute load average)\n", load[0]);
}

void print_measured_head() {
  std::printf("%-22s %-4s %9s %-20s %8s %8s %8s   %7s %7s %7s   %s\n", "CPU us/op: client,", "",
              "ops/s", "[least - greatest]", "p50 us", "p99 us", "p99.9 us", "client", "nodes",
              "system", "switches/op");
}

void print_measured(const std::string& name, Operation operation,
                    const std::vector<Measured>& samples) {
  std::vector<double> rates;
  for (const Measured& sample : samples) rates.push_back(sample.rate());
  const std::string rate = with_spread(std::move(rates), "%9.0f [%.0f - %.0f]");
  const auto quantile = [&](double share) {
    return median_of(samples, [&](const Measured& m) { return m.load.latency.quantile_us(share); });
  };
  const auto nodes = [&](const auto& of) {
    return median_of(samples, [&](const Measured& m) {
      return m.per_operation(static_cast<double>(of(m.all_nodes())));
    });
  };
  std::printf("%-22s %-4s %-30s %8.0f %8.0f %8.0f   %7.2f %7.2f %7.2f   %.2f + %.2f\n",
              name.c_str(), operation_name(operation), rate.c_str(), quantile(0.5), quantile(0.99),
              quantile(0.999),
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
