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

// Here to be inlined: most of what a shard encodes and decodes are these.
template <typename Out>
void put_node_id(Out& out, const NodeId& id) {
  put_u64_big_endian(out, id.high);
  put_u64_big_endian(out, id.low);
}
inline NodeId take_node_id(Decoder& in) {
  NodeId id;
  id.high = in.u64_big_endian();
  id.low = in.u64_big_endian();
  return id;
}

template <typename Out>
void put_actor(Out& out, const Actor& actor) {
  put_node_id(out, actor.node);
  put_u64(out, actor.start);
  put_varint(out, actor.birth);
}
inline Actor take_actor(Decoder& in) {
  Actor actor;
  actor.node = take_node_id(in);
  actor.start = in.u64();
  actor.birth = in.varint();
  return actor;
}

template <typename Out>
void put_request_id(Out& out, const RequestId& id) {
  put_u64(out, id.client_high);
  put_u64(out, id.client_low);
  put_varint(out, id.sequence);
}
inline RequestId take_request_id(Decoder& in) {
  RequestId id;
  id.client_high = in.u64();
  id.client_low = in.u64();
  id.sequence = in.varint();
  return id;
}

constexpr std::size_t actor_bytes_fixed = 16 + 8;  // all but the birth
constexpr std::size_t actor_bytes_min = actor_bytes_fixed + 1;
constexpr std::size_t actor_bytes_max = actor_bytes_fixed + varint_bytes_max;
constexpr std::size_t request_id_bytes_max = 16 + varint_bytes_max;

}  // namespace ringwright
