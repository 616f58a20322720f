#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "replication/membership/membership.h"
#include "replication/shard/engine_work.h"
#include "replication/shard/moment.h"
#include "replication/shard/node_state.h"
#include "replication/transport/message.h"

namespace ringwright {

struct NodeSettings {
  Endpoint endpoint = 0;            // its own
  std::vector<Endpoint> endpoints;  // by member index
};

struct NodeOutput {
  std::vector<Envelope> messages;
  std::vector<EngineWork> work;                // on the system engine
  std::shared_ptr<const NodeState> published;  // null when nothing changed
};

// The process-wide machine of one node: who the members are, who answers, and the lease of the
// hybrid clock's upper bound. It runs on the thread of shard 0 and hands what it knows to the
// shards as immutable values; the first is there as soon as it is made.
//
// Invariants
// 1. A published clock bound is durable in the system engine: a restart begins above it.
// 2. A published view is never changed; each has a higher version than the one before.
class Node {
 public:
  // `stored_bound`: what the system engine holds under `clock_bound_key`; 0 on a first start.
  Node(NodeSettings settings, std::unique_ptr<Membership> membership, Timestamp stored_bound);

  // A ping or a pong. A ping from this node itself is a shard's word that its clock, the stamp,
  // comes near the bound.
  void receive(const Envelope& envelope, Moment moment);
  void heard_from(Endpoint endpoint, Moment moment);
  void unreachable(Endpoint endpoint, Moment moment);
  void complete(const EngineCompletion& completion, Moment moment);
  void tick(Moment moment);
  Instant next_deadline() const;
  NodeOutput take_output();

  static Bytes clock_bound_key();
  static Bytes encode_clock_bound(Timestamp bound);
  static Result<Timestamp> decode_clock_bound(ByteView bytes);

 private:
  enum class Lease { idle, writing, syncing };

  std::optional<std::uint32_t> member_at(Endpoint endpoint) const;
  void publish();
  void renew_lease(Moment moment);

  NodeSettings settings_;
  std::unique_ptr<Membership> membership_;
  NodeOutput output_;
  std::shared_ptr<const View> view_;
  Lease lease_ = Lease::idle;
  const Timestamp stored_bound_;  // at the start
  Timestamp seen_ = 0;            // the farthest that a shard told of
  Timestamp durable_bound_;
  Timestamp wanted_bound_ = 0;
  Instant retry_lease_at_ = 0;
  Instant next_lease_look_ = 0;
  Ticket next_ticket_ = 1;
};

}  // namespace ringwright
