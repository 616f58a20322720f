#include "replication/runtime/key_placement.h"

#include <algorithm>
#include <utility>

#include "engine/base/nearest.h"

namespace ringwright {

Result<std::vector<Placement>> place_key(const ClusterMap& map, std::string_view keyspace,
                                         ByteView key, const std::vector<bool>& up) {
  const auto at = std::find_if(map.keyspaces.begin(), map.keyspaces.end(),
                               [&](const auto& known) { return known.name == keyspace; });
  if (at == map.keyspaces.end()) {
    std::vector<std::string> known;
    for (const KeyspaceSummary& summary : map.keyspaces) known.push_back(summary.name);
    return Status{Code::invalid, "there is no keyspace '" + std::string(keyspace) +
                                     "'; did you mean '" + nearest_name(keyspace, known) + "'?"};
  }
  const auto& members = map.ring->members();
  std::vector<Placement> placed;
  for (const auto& entry : preference_list(*map.ring, token_of(key), at->n, up)) {
    Placement placement;
    placement.node = members[entry.member].name;
    placement.role = entry.role;
    if (entry.role == Role::fallback) placement.stands_in_for = members[entry.stands_in_for].name;
    placement.up = up[entry.member];
    placed.push_back(std::move(placement));
  }
  return placed;
}

}  // namespace ringwright
