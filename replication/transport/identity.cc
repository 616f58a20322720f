#include "replication/transport/identity.h"

#include <algorithm>

#include "engine/base/bytes.h"

namespace ringwright {
namespace {

std::string range_text(std::uint32_t low, std::uint32_t high) {
  return low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
}

std::optional<Mismatch> find_range_mismatch(const char* what, std::uint32_t own_min,
                                            std::uint32_t own_max, std::uint32_t other_min,
                                            std::uint32_t other_max) {
  if (own_min <= other_max && other_min <= own_max) return std::nullopt;
  return Mismatch{what, std::string(what) + "s " + range_text(other_min, other_max) + " and not " +
                            range_text(own_min, own_max) +
                            ": bring both nodes to neighbouring releases"};
}

std::optional<Mismatch> find_keyspace_mismatch(const NodeIdentity& own, const NodeIdentity& other) {
  const auto refuse = [](const std::string& name, const std::string& why) {
    return Mismatch{"keyspace", "keyspace '" + name + "' " + why +
                                    ": give all members the same [keyspace." + name + "]"};
  };
  const auto find = [](const NodeIdentity& where, const std::string& name) {
    return std::find_if(where.keyspaces.begin(), where.keyspaces.end(),
                        [&](const auto& known) { return known.first == name; });
  };
  for (const auto& [name, digest] : own.keyspaces) {
    const auto at = find(other, name);
    if (at == other.keyspaces.end()) return refuse(name, "is known to one of the two only");
    if (at->second != digest) return refuse(name, "has other settings there");
  }
  for (const auto& [name, digest] : other.keyspaces)
    if (find(own, name) == own.keyspaces.end())
      return refuse(name, "is known to one of the two only");
  return std::nullopt;
}

}  // namespace

std::optional<Mismatch> find_mismatch(const NodeIdentity& own, const NodeIdentity& other) {
  if (other.cluster != own.cluster)
    return Mismatch{"cluster", "it belongs to cluster " + printable(other.cluster) +
                                   " and not to " + printable(own.cluster) +
                                   ": correct the address, or cluster.name"};
  if (auto found = find_range_mismatch("protocol", own.protocol_min, own.protocol_max,
                                       other.protocol_min, other.protocol_max))
    return found;
  if (auto found = find_range_mismatch("record format", own.record_min, own.record_max,
                                       other.record_min, other.record_max))
    return found;
  if (other.ring_epoch != own.ring_epoch || other.ring_hash != own.ring_hash)
    return Mismatch{"ring", "it has another ring (epoch " + std::to_string(other.ring_epoch) +
                                ", not " + std::to_string(own.ring_epoch) +
                                "; or other members or partitions): give all members the same "
                                "[member.*] and cluster.partitions"};
  return find_keyspace_mismatch(own, other);
}

std::uint32_t agreed_protocol(const NodeIdentity& own, const NodeIdentity& other) {
  return std::min(own.protocol_max, other.protocol_max);
}

}  // namespace ringwright
