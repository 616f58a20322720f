#include "replication/runtime/cluster_map.h"

#include <algorithm>
#include <utility>

#include "engine/base/coding.h"
#include "engine/base/hash.h"
#include "replication/version/record.h"

namespace ringwright {

std::uint64_t settings_digest(const Keyspace& keyspace) {
  Bytes settings;
  put_bytes(settings, keyspace.name);
  put_bytes(settings, keyspace.resolver_name);
  put_bytes(settings, record_kind_name(keyspace.kind()));
  for (const std::uint64_t value :
       {std::uint64_t{keyspace.n}, std::uint64_t{keyspace.r}, std::uint64_t{keyspace.w},
        std::uint64_t{keyspace.sloppy}, keyspace.ttl_us,
        static_cast<std::uint64_t>(keyspace.durability), std::uint64_t{keyspace.value_bytes_max},
        std::uint64_t{keyspace.record_bytes_max}, std::uint64_t{keyspace.siblings_max}})
    put_u64(settings, value);
  return hash64(settings);
}

std::shared_ptr<const ClusterMap> make_cluster_map(
    std::string cluster, std::shared_ptr<const Ring> ring, std::vector<MemberAddress> addresses,
    const std::vector<std::shared_ptr<const Keyspace>>& keyspaces) {
  auto map = std::make_shared<ClusterMap>();
  map->cluster = std::move(cluster);
  map->ring = std::move(ring);
  map->addresses = std::move(addresses);
  for (const auto& keyspace : keyspaces)
    map->keyspaces.push_back({keyspace->name, keyspace->n, keyspace->r, keyspace->w,
                              std::string(record_kind_name(keyspace->kind())),
                              settings_digest(*keyspace)});
  std::sort(map->keyspaces.begin(), map->keyspaces.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  return map;
}

}  // namespace ringwright
