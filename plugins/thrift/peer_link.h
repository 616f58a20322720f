#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "plugins/thrift/frame_connection.h"
#include "plugins/thrift/peer_codec.h"

namespace ringwright::wire {

// The way from one shard to one other node: messages go out over a connection of its own; answers
// come in over the other node's.
//
//          send                 connected               welcome
//   down ---------> connecting -----------> greeting -------------> open
//     ^                 |                       |                     |
//     +-----------------+-----------------------+---------------------+
//        refused, too late, broken: what waits is dropped; a pause before the next try
//
// Invariants
// 1. No message leaves before both sides have compared who they are.
// 2. What waits is bounded by limits::peer_queue_bytes_max; above it messages are dropped and
//    counted.
class PeerLink {
 public:
  // `greeted_at`: when the peer last connected to this node, which ends a pause.
  PeerLink(SocketAddress address, NodeId peer, Poller& poller, Poller::Tag tag,
           const std::atomic<Instant>& greeted_at);

  // A message as `append_unguarded` encodes it. False: it was dropped, for the peer cannot be
  // reached now.
  bool send(ByteView unguarded, Instant now);
  void flush(Instant now);

  // What the poller says. A status: the connection is over, and why.
  Status handle(const Poller::Ready& ready, ReadBuffer& buffer, const NodeIdentity& self,
                Instant now);
  // A connect or a hello that takes too long, or a peer that reads nothing.
  Status expire(Instant now);
  Instant next_deadline() const;

  bool is_open() const { return state_ == State::open; }
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t sent() const { return sent_; }

 private:
  enum class State : std::uint8_t { down, connecting, greeting, open };

  void connect(Instant now);
  Status go_down(Status why, Instant now, Nanoseconds pause);
  Status greet(const NodeIdentity& self, Instant now);
  void end_batch();

  const SocketAddress address_;
  const NodeId peer_;
  Poller& poller_;
  const Poller::Tag tag_;
  const std::atomic<Instant>& greeted_at_;
  State state_ = State::down;
  Descriptor connecting_;
  std::unique_ptr<FrameConnection> connection_;
  Bytes waiting_;  // whole frames and the batch being filled, until the peer has welcomed us
  std::optional<std::size_t> batch_;  // where the batch being filled begins in the buffer
  Instant deadline_ = never;          // of connecting and greeting
  Instant down_since_ = 0;
  Instant retry_at_ = 0;
  Status failure_;  // of a connect that failed at once
  std::uint64_t dropped_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace ringwright::wire
