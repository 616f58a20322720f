#include "replication/shard/replica_timer.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace ringwright {

std::string_view replica_request_name(ReplicaRequest kind) {
  switch (kind) {
    case ReplicaRequest::read:
      return "read";
    case ReplicaRequest::write:
      return "write";
    case ReplicaRequest::handoff:
      return "handoff";
    case ReplicaRequest::forward:
      return "forward";
  }
  return "unknown_request";
}

void ReplicaCounts::add(const ReplicaCounts& other) {
  for (std::size_t i = 0; i < replica_requests; ++i) durations[i].add(other.durations[i]);
}

void ReplicaTimer::await(std::uint32_t member, ReplicaRequest kind, OperationId operation,
                         Instant now) {
  Peer& peer = peers_[member];
  const auto place =
      std::find_if(peer.awaited.begin(), peer.awaited.end(), [&](const Awaited& each) {
        return each.operation == 0 || now - each.sent > limits::replica_answer_max;
      });
  if (place == peer.awaited.end()) return;
  std::uint64_t& untimed = peer.untimed[static_cast<std::size_t>(kind)];
  *place = {operation, now, std::exchange(untimed, 0), kind};
}

void ReplicaTimer::finish(std::uint32_t member, OperationId operation, Instant now) {
  Peer& peer = peers_[member];
  const auto place = std::find_if(peer.awaited.begin(), peer.awaited.end(),
                                  [&](const Awaited& each) { return each.operation == operation; });
  if (place == peer.awaited.end()) return;
  const Nanoseconds took = std::max<Nanoseconds>(now - place->sent, 0);
  counts_[member].durations[static_cast<std::size_t>(place->kind)].add(
      static_cast<std::uint64_t>(took), place->times);
  *place = {};
}

}  // namespace ringwright
