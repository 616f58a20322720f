#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "replication/ring/preference_list.h"
#include "replication/transport/cluster_map.h"

namespace ringwright {

// One entry of a key's preference list, with names.
struct Placement {
  std::string node;
  Role role = Role::primary;
  std::string stands_in_for;  // of a fallback: the primary it stands in for; else empty
  bool up = false;
};

// The key's primaries, or those that stand in for them, given who is up (by member index).
// `invalid`: there is no such keyspace.
Result<std::vector<Placement>> place_key(const ClusterMap& map, std::string_view keyspace,
                                         ByteView key, const std::vector<bool>& up);

}  // namespace ringwright
