#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/wire/load_client.h"
#include "bench/wire/node_process.h"

namespace ringwright::bench {

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
void preload(const Target& target);
Measured measure(const Target& target, Operation operation, std::chrono::milliseconds duration);

void print_load(const LoadSettings& settings, std::chrono::milliseconds duration,
                std::uint64_t repeats);
void print_measured_head();
// One line: medians, and of the rate the least and the greatest. Errors, if any, on a second one.
void print_measured(const std::string& name, Operation operation,
                    const std::vector<Measured>& samples);

const char* operation_name(Operation operation);

}  // namespace ringwright::bench
