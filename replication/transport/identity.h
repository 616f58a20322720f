#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/version/actor.h"

namespace ringwright {

// Of the messages between nodes (codec `native`).
constexpr std::uint32_t peer_protocol_min = 2;
constexpr std::uint32_t peer_protocol_max = 2;
// Of the records that this release can read.
constexpr std::uint32_t record_format_min = 1;
constexpr std::uint32_t record_format_max = 1;

// What a node shows when it speaks to another one for the first time.
struct NodeIdentity {
  std::uint32_t protocol_min = peer_protocol_min;
  std::uint32_t protocol_max = peer_protocol_max;
  std::uint32_t record_min = record_format_min;
  std::uint32_t record_max = record_format_max;
  std::string cluster;
  NodeId node;
  std::uint64_t ring_epoch = 0;
  std::uint64_t ring_hash = 0;
  // Name and digest of the settings that all members must share, in the order of the names.
  std::vector<std::pair<std::string, std::uint64_t>> keyspaces;
  friend bool operator==(const NodeIdentity&, const NodeIdentity&) = default;
};

// Why two nodes must not speak to each other.
struct Mismatch {
  std::string what;     // "cluster", "ring", "keyspace", "protocol", "record format", "node"
  std::string message;  // says what to do
};

// What keeps `other` from being a member like `own`; nullopt: nothing. The cluster is compared
// first, so that a node that strayed in is told that and not a consequence of it.
std::optional<Mismatch> find_mismatch(const NodeIdentity& own, const NodeIdentity& other);
// Of the messages that both can read, the newest; only when there is no mismatch.
std::uint32_t agreed_protocol(const NodeIdentity& own, const NodeIdentity& other);

}  // namespace ringwright
