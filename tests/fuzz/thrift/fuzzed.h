#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "engine/base/bytes.h"
#include "replication/transport/cluster_map.h"

// What the fuzz targets share. `scripts/fuzz` builds one program of each file beside this one.
namespace ringwright {

inline void must(bool holds) {
  if (!holds) std::abort();
}

inline ByteView view_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A cluster of three.
inline std::shared_ptr<ClusterMap> fuzzed_map() {
  std::vector<Member> members;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    Member member;
    member.id = NodeId{7, i};
    member.name = "node" + std::to_string(i);
    member.weight = 1;
    members.push_back(member);
  }
  auto map = std::make_shared<ClusterMap>();
  map->cluster = "lab";
  map->ring = std::make_shared<const Ring>(*Ring::make(4, members, 8));
  map->addresses.resize(3);
  map->keyspaces.push_back({"default", 3, 2, 2, "siblings", 77});
  return map;
}

}  // namespace ringwright
