#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/decorator/engine_meter.h"
#include "engine/storage_engine.h"
#include "replication/membership/membership.h"
#include "replication/shard/replica_timer.h"
#include "replication/shard/request_counts.h"
#include "replication/version/actor.h"

namespace ringwright {

enum class NodeCondition : std::uint8_t { up, paused, stopped, killed, failed };
// As users see them.
std::string_view node_condition_name(NodeCondition condition);
std::string_view member_state_name(MemberState state);

struct EngineStatus {
  std::string keyspace;  // "system" for the node-wide rows
  std::string engine;    // the stack as it was asked for: "faulty(memory)"
  Durability durability = Durability::none;
  EngineStats stats;
  double pressure = 0;
  EngineCounts counts{};  // by the meter that every node puts around each of its engines
};

struct KeyspaceRequests {
  std::string keyspace;  // empty: of those that named none of the node's
  RequestCounts counts;
};

// What a node says of itself; plain data.
struct NodeStatus {
  std::string name;
  NodeId id;
  NodeCondition condition = NodeCondition::stopped;
  std::string failure;  // why it is `failed`
  std::string address;  // where clients find it
  std::uint32_t shards = 0;
  std::string directory;
  std::map<std::string, MemberState> members;                  // as this node sees them
  std::map<std::string, std::uint64_t, std::less<>> counters;  // summed over shards and transports
  std::vector<EngineStatus> engines;                           // empty unless up
  std::vector<KeyspaceRequests> requests;                      // as their coordinator; likewise
  std::map<std::string, ReplicaCounts> replicas;  // by the other members' names; likewise
  bool may_hold_fallback_rows = false;
};

}  // namespace ringwright
