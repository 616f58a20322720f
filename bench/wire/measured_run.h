#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/wire/load_client.h"
#include "bench/wire/node_process.h"

namespace ringwright::bench {

// As an interrupted program when it was interrupted, else as one that failed.
[[noreturn]] void stop(const std::string& why);
// Ends the program with a sentence when there is no value.
template <typename T>
T need(Result<T> result, const std::string& what) {
  if (!result) stop(what + ": " + result.error().to_string());
  return *std::move(result);
}

// A system under load: a client that is connected to it, and the processes that serve it.
struct Target {
  std::string name;
  LoadClient* client = nullptr;
  std::vector<int> processes;
};

// One run and what the processes used meanwhile.
struct Measured {
  LoadResult load;
  std::vector<ProcessUsage> nodes;

  double rate() const { return load.rate(); }
  ProcessUsage all_nodes() const;
  double per_operation(double total) const;
};

// Each ends the program when the load could not be run to its end or an answer was wrong: a figure
// of a system that gives wrong answers is worth nothing.
Measured preload(const Target& target);
Measured measure(const Target& target, Operation operation, std::chrono::milliseconds duration);

// Runs all targets in turn, `repeats` times after one turn that is not counted; who goes first
// changes from turn to turn. Index i of all ran next to each other.
std::vector<std::vector<Measured>> measure_alternating(const std::vector<Target>& targets,
                                                       Operation operation,
                                                       std::chrono::milliseconds duration,
                                                       std::uint64_t repeats);

void print_load(const LoadSettings& settings, std::chrono::milliseconds duration,
                std::uint64_t repeats);
void print_measured_head();
// One line: medians, and of the rate the least and the greatest. Errors, if any, on a second one.
void print_measured(const std::string& name, Operation operation,
                    const std::vector<Measured>& samples);

// What the median run cost each node's process, and why it left the processor.
void print_nodes(const std::vector<Measured>& samples);
// "left / right": median of the ratios of neighbours, least and greatest, of ops/s and of CPU time.
void print_ratio(const std::string& left_name, const std::vector<Measured>& left,
                 const std::string& right_name, const std::vector<Measured>& right);

const char* operation_name(Operation operation);

}  // namespace ringwright::bench
