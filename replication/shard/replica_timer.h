#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/histogram.h"
#include "replication/transport/message.h"

namespace ringwright {

// What one node asks of another. `forward`: a put that only a node with a copy can coordinate.
enum class ReplicaRequest : std::uint8_t { read = 0, write = 1, handoff = 2, forward = 3 };
constexpr std::size_t replica_requests = 4;
std::string_view replica_request_name(ReplicaRequest kind);

// How long one peer took to answer, in nanoseconds, by kind of request. A value.
struct ReplicaCounts {
  std::array<DurationHistogram, replica_requests> durations;

  const DurationHistogram& of(ReplicaRequest kind) const {
    return durations[static_cast<std::size_t>(kind)];
  }
  void add(const ReplicaCounts& other);
};

// Times requests to other members from their sending to their answer. Most puts are answered to
// their client before the slowest replica answers, so the operation cannot keep the time: it is
// kept here, for one request of eight, which stands for those to the same member since the one
// before it.
//
// Which ones is a matter of their number alone: so it has nothing to do with how long they take,
// and most answers are known not to be awaited without looking.
class ReplicaTimer {
 public:
  ReplicaTimer(std::size_t members, std::uint32_t own)
      : own_(own), peers_(members), counts_(members) {}

  // What the node sends itself is not timed.
  void sent(std::uint32_t member, ReplicaRequest kind, OperationId operation, Instant now) {
    if (member == own_) return;
    std::uint64_t& untimed = peers_[member].untimed[static_cast<std::size_t>(kind)];
    ++untimed;
    if (is_drawn(operation)) await(member, kind, operation, now);
  }
  // Also when the operation has ended meanwhile; an answer that says no is one.
  void answered(std::uint32_t member, OperationId operation, Instant now) {
    if (is_drawn(operation)) finish(member, operation, now);
  }
  // What was sent to this member will not be answered.
  void lost(std::uint32_t member) { peers_[member].awaited = {}; }

  // By member.
  const std::vector<ReplicaCounts>& counts() const { return counts_; }

  // Spreads numbers that follow one another: Fibonacci hashing (Knuth, The Art of Computer
  // Programming 6.4).
  static bool is_drawn(OperationId operation) { return operation * 0x9e3779b97f4a7c15 >> 61 == 0; }

 private:
  struct Awaited {
    OperationId operation = 0;  // 0: nothing
    Instant sent = 0;
    std::uint64_t times = 0;  // how many requests it stands for
    ReplicaRequest kind = ReplicaRequest::read;
  };
  // When all places are taken, the next that finds one stands for those that did not.
  static constexpr std::size_t awaited_max = 16;
  struct Peer {
    std::array<std::uint64_t, replica_requests> untimed{};
    std::array<Awaited, awaited_max> awaited;
  };

  void await(std::uint32_t member, ReplicaRequest kind, OperationId operation, Instant now);
  void finish(std::uint32_t member, OperationId operation, Instant now);

  const std::uint32_t own_;
  std::vector<Peer> peers_;
  std::vector<ReplicaCounts> counts_;
};

}  // namespace ringwright
