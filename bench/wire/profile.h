#pragma once

#include <string>

#include "bench/wire/measured_run.h"

namespace ringwright::bench {

// Runs the load once more under `perf record` of the target's processes and prints where their time
// went. Says why when it cannot: no perf, or no right to use it.
void print_profile(const Target& target, Operation operation, std::chrono::milliseconds duration);

}  // namespace ringwright::bench
