#pragma once

#include <memory>
#include <string>
#include <vector>

#include "replication/shard/keyspace.h"
#include "replication/transport/cluster_map.h"

namespace ringwright {

// Over everything that the members must agree about; engines, their options and the fan-out of gets
// are each member's own affair.
std::uint64_t settings_digest(const Keyspace& keyspace);

std::shared_ptr<const ClusterMap> make_cluster_map(
    std::string cluster, std::shared_ptr<const Ring> ring, std::vector<MemberAddress> addresses,
    const std::vector<std::shared_ptr<const Keyspace>>& keyspaces);

}  // namespace ringwright
