#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "engine/base/coding.h"

namespace ringwright {

// Who a node is, for ever: 128 random bits, never an address. Shown as a UUID.
struct NodeId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const NodeId&, const NodeId&) = default;
};
std::string to_string(const NodeId& id);

// Who issues dots: a node, the 64 random bits that one of its shards drew at its start, and a birth
// within that start. Nothing restored, cloned or rolled back can issue under the same actor again,
// because `start` lives in memory only.
struct Actor {
  NodeId node;
  std::uint64_t start = 0;
  std::uint64_t birth = 0;
  friend auto operator<=>(const Actor&, const Actor&) = default;
};
std::string to_string(const Actor& actor);

// The name of one write event. Births and counters come from one sequence of the shard.
struct Dot {
  Actor actor;
  std::uint64_t counter = 0;
  friend auto operator<=>(const Dot&, const Dot&) = default;
};
std::string to_string(const Dot& dot);

// The name of one request of one client: a retry carries the same.
struct RequestId {
  std::uint64_t client_high = 0;
  std::uint64_t client_low = 0;
  std::uint64_t sequence = 0;  // from 1; 0 with a zero client: no request id
  bool empty() const { return client_high == 0 && client_low == 0 && sequence == 0; }
  friend auto operator<=>(const RequestId&, const RequestId&) = default;
};

void put_node_id(Bytes& out, const NodeId& id);
NodeId take_node_id(Decoder& in);
void put_actor(Bytes& out, const Actor& actor);
Actor take_actor(Decoder& in);
void put_request_id(Bytes& out, const RequestId& id);
RequestId take_request_id(Decoder& in);

constexpr std::size_t actor_bytes_min = 16 + 8 + 1;

}  // namespace ringwright
