#pragma once

#include <memory>
#include <vector>

#include "engine/base/telemetry.h"
#include "replication/shard/engine_work.h"
#include "replication/shard/keyspace.h"
#include "replication/shard/moment.h"
#include "replication/shard/node_state.h"
#include "replication/shard/replica_timer.h"
#include "replication/shard/request_counts.h"
#include "replication/transport/message.h"

namespace ringwright {

struct ShardSettings {
  NodeId node;
  std::uint32_t member = 0;  // this node's index in the ring
  std::uint32_t shard = 0;
  std::uint32_t shards = 1;
  std::uint64_t start = 0;          // 64 random bits, drawn anew at every start
  std::uint64_t started_us = 0;     // wall time of that start
  Timestamp clock_floor = 0;        // the durable clock bound of the run before
  Endpoint endpoint = 0;            // its own
  std::vector<Endpoint> endpoints;  // by member index
  std::vector<std::shared_ptr<const Keyspace>> keyspaces;  // by engine index
  std::vector<Capabilities> capabilities;                  // of each keyspace's engine
  std::size_t frame_bytes_max = limits::frame_bytes_max;
  std::size_t operations_max = limits::operations_max;
};

struct ShardOutput {
  std::vector<Envelope> messages;  // those to its own endpoint included
  std::vector<EngineWork> work;
  // Clients' requests whose answers are among the messages; a driver may measure them.
  std::vector<AnsweredRequest> answered;
};

// The data-path machine: it owns a share of the tokens, their keys' order and the operations in
// flight. Values in, values out: no socket, thread, clock, file or random source of its own.
//
// A driver feeds it messages, completions and ticks, then takes what it wants done. Every message
// for this shard (see shard_of) comes here, those that the shard sends to its own node included.
class Shard {
 public:
  Shard(ShardSettings settings, std::shared_ptr<const NodeState> state);
  ~Shard();

  void receive(Envelope&& envelope, Moment moment);
  void complete(EngineCompletion&& completion, Moment moment);
  void tick(Moment moment);
  // The transport lost the endpoint: operations stop waiting for it and try the next replica.
  void unreachable(Endpoint endpoint, Moment moment);
  void update(std::shared_ptr<const NodeState> state);

  // At once after each wake-up: one read, one write and one sync at most for each engine. What
  // `output` held is dropped and its room used again.
  void take_output(ShardOutput& output);
  Instant next_deadline() const;

  const Counters& counters() const;
  // By member: how long each took to answer.
  const std::vector<ReplicaCounts>& replica_counts() const;
  // Fallback rows that this shard may still have to deliver: false once a whole scan found none.
  bool may_hold_fallback_rows() const;

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace ringwright
