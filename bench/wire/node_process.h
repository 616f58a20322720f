#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/status.h"

// Processes of nodes, and what they have used. Everything started here is ended and every directory
// made here is removed when the program exits by itself, by an error, or by a caught signal; when
// it is killed, its processes are killed with it.
namespace ringwright::bench {

// Runs `body` in a child that exits with its result. -1 when there is none.
int start_forked(const std::function<int()>& body);
// Runs a program, its output going to `log_path`; `inherited`, if not -1, stays open in it.
Result<int> start_program(const std::vector<std::string>& command, const std::string& log_path,
                          int inherited);
// Kills and waits. Whatever a node was doing is of no interest any more.
void end_process(int process);

// Waits for a program that ends by itself; kills it at the deadline. Its exit code, -1 if killed.
int await_process(int process, std::chrono::milliseconds timeout);

// An empty directory that is removed with all that is in it, at the latest when the program exits.
std::string directory_until_exit(const std::string& parent);
void remove_directory(const std::string& directory);

// What a process has used since it began, all its threads together.
struct ProcessUsage {
  double user_us = 0;
  double system_us = 0;
  std::uint64_t voluntary_switches = 0;    // it waited for something
  std::uint64_t involuntary_switches = 0;  // it was taken off the processor

  ProcessUsage operator-(const ProcessUsage& before) const;
  ProcessUsage& operator+=(const ProcessUsage& other);
};
ProcessUsage usage_of(int process);

}  // namespace ringwright::bench
