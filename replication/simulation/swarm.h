#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "replication/history/history.h"

namespace ringwright {

struct SwarmLimits {
  std::uint32_t operations_min = 60;
  std::uint32_t operations_max = 300;
};

struct SwarmResult {
  std::uint64_t seed = 0;
  std::string digest;  // of the whole run: 16 hex digits, equal for equal seeds
  std::vector<std::pair<std::string, std::string>> parameters;  // as drawn, in the order drawn
  History history;
  std::vector<std::string> violations;
  // "fault.crash", "operations.ok", "events", "virtual_ms", the shards' own ...
  std::map<std::string, std::uint64_t> counters;
  std::vector<std::uint64_t> checkpoints;  // of the trace, for the first difference of two runs
};

// One random run: the seed decides the cluster, which kinds of faults there are at all, the
// workload and every fault. After the workload everything is healed and restarted, fallback rows
// are delivered, every key is read through all its replicas, and the checkers judge.
//
// Faults stay inside what is promised: only class `disk` loses power; disks are lost, rolled back,
// cloned or damaged on one node per run at most, and then no put asks for less than w = 2.
SwarmResult run_swarm(std::uint64_t seed, const SwarmLimits& limits = {});

// The parameters, one "name value" a line.
std::string describe_parameters(const SwarmResult& result);

}  // namespace ringwright
