#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "replication/ring/ring.h"
#include "replication/transport/identity.h"

namespace ringwright {

// Where a member is found; in the notation of its transport, "127.0.0.1:7481".
struct MemberAddress {
  std::string client;
  std::string peer;
  friend bool operator==(const MemberAddress&, const MemberAddress&) = default;
};

// What all members and clients must know of a keyspace alike.
struct KeyspaceSummary {
  std::string name;
  std::uint32_t n = 0;
  std::uint32_t r = 0;
  std::uint32_t w = 0;
  std::string record_kind;   // "siblings", "lww"
  std::uint64_t digest = 0;  // of the settings that members must share
  friend bool operator==(const KeyspaceSummary&, const KeyspaceSummary&) = default;
};

// Who is where: what a transport needs to reach the members, and what it tells clients. An
// immutable value.
struct ClusterMap {
  std::string cluster;
  std::shared_ptr<const Ring> ring;
  std::vector<MemberAddress> addresses;    // by member index
  std::vector<KeyspaceSummary> keyspaces;  // in the order of their names

  NodeIdentity identity_of(std::uint32_t member) const {
    NodeIdentity identity;
    identity.cluster = cluster;
    identity.node = ring->members().at(member).id;
    identity.ring_epoch = ring->epoch();
    identity.ring_hash = ring->hash();
    for (const KeyspaceSummary& keyspace : keyspaces)
      identity.keyspaces.emplace_back(keyspace.name, keyspace.digest);
    return identity;
  }
};

}  // namespace ringwright
