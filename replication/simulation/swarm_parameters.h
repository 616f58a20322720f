#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "replication/simulation/swarm.h"
#include "replication/simulation/world.h"

namespace ringwright {

enum class SwarmFault : std::uint8_t {
  crash = 0,
  stop,
  power_cut,
  power_cut_all,
  cut_one_way,
  cut_pair,
  split,
  isolate,
  flaky_reads,
  refused_writes,
  doubtful_writes,
  failed_sync,
  failed_append,
  failed_start,
  slow_messages,
  // From here on the node's disk does not keep what it promised: one identity per run.
  wipe,
  restore,
  clone,
  damage,
};
constexpr std::size_t swarm_fault_kinds = 19;
std::string_view swarm_fault_name(SwarmFault kind);
constexpr bool loses_disk(SwarmFault kind) { return kind >= SwarmFault::wipe; }

// All that is drawn before a run begins.
struct SwarmParameters {
  SimulationOptions world;
  std::uint32_t keys = 1;
  std::uint32_t operations = 0;
  double get_share = 0;
  double remove_share = 0;            // of the writes
  double remembered_share = 0;        // of the writes that come with their client's last context
  double stale_share = 0;             // of the writes that come with some older context of the key
  double primary_share = 0;           // of the operations that go to a primary of their key
  double retry_share = 0;             // of the operations that may be tried again
  double level_share = 0;             // of the operations that name their own r or w
  double large_share = 0;             // of the values that are large
  std::uint32_t value_bytes_max = 0;  // of a large value
  std::uint32_t w_min = 1;
  Nanoseconds think_max = 0;
  Nanoseconds timeout = 0;
  Nanoseconds fault_interval_max = 0;
  Nanoseconds fault_length_max = 0;
  std::vector<SwarmFault> faults;  // the kinds that exist in this run
  NodeIndex disk_loser = 0;        // whom the disk-losing kinds may hit
  bool restart_all = false;        // in the end; else only what is down or out of order
};

SwarmParameters draw_parameters(std::uint64_t seed, const SwarmLimits& limits);
std::vector<std::pair<std::string, std::string>> to_list(const SwarmParameters& parameters);

}  // namespace ringwright
