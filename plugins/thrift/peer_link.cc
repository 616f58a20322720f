#include "plugins/thrift/peer_link.h"

#include <algorithm>
#include <utility>

namespace ringwright::wire {

PeerLink::PeerLink(SocketAddress address, NodeId peer, Poller& poller, Poller::Tag tag,
                   const std::atomic<Instant>& greeted_at)
    : address_(address), peer_(peer), poller_(poller), tag_(tag), greeted_at_(greeted_at) {}

bool PeerLink::send(ByteView unguarded, Instant now) {
  if (state_ == State::down && (now >= retry_at_ || greeted_at_ > down_since_)) connect(now);
  if (state_ == State::down) {
    ++dropped_;
    return false;
  }
  Bytes& out = state_ == State::open ? connection_->out() : waiting_;
  const std::size_t queued = state_ == State::open ? connection_->unsent() : waiting_.size();
  if (queued >= limits::peer_queue_bytes_max) {
    ++dropped_;
    return true;  // the peer is slow, not gone
  }
  if (!batch_) batch_ = peer::begin_batch(out);
  peer::append_message(out, unguarded);
  ++sent_;
  if (out.size() - *batch_ >= limits::peer_batch_bytes) end_batch();
  return true;
}

void PeerLink::end_batch() {
  if (!batch_) return;
  peer::end_batch(state_ == State::open ? connection_->out() : waiting_, *batch_);
  batch_.reset();
}

void PeerLink::flush(Instant now) {
  end_batch();
  // Of a connection that is over the poller tells.
  if (connection_) static_cast<void>(connection_->flush(now));
}

void PeerLink::connect(Instant now) {
  auto started = start_connect(address_);
  if (!started) {
    go_down(started.error(), now, limits::reconnect_after).ignore("told by the next `expire`");
    failure_ = started.error();
    return;
  }
  connecting_ = std::move(*started);
  poller_.add(connecting_, tag_, {false, true, false});
  state_ = State::connecting;
  deadline_ = now + limits::connect_deadline;
}

Status PeerLink::go_down(Status why, Instant now, Nanoseconds pause) {
  if (connecting_.is_open()) {
    poller_.remove(connecting_);
    connecting_.reset();
  }
  connection_.reset();
  waiting_.clear();
  waiting_.shrink_to_fit();
  batch_.reset();
  state_ = State::down;
  deadline_ = never;
  down_since_ = now;
  retry_at_ = now + pause;
  return why;
}

Status PeerLink::greet(const NodeIdentity& self, Instant now) {
  const Status connected = connect_result(connecting_);
  if (!connected.is_ok()) return go_down(connected, now, limits::reconnect_after);
  poller_.remove(connecting_);
  connection_ = std::make_unique<FrameConnection>(
      std::make_unique<SocketStream>(std::move(connecting_)), poller_, tag_, now);
  connection_->set_frame_bytes_max(limits::hello_bytes_max);
  peer::encode_hello(connection_->out(), {self, peer_});
  state_ = State::greeting;
  deadline_ = now + limits::hello_deadline;
  if (!connection_->flush(now))
    return go_down({Code::unavailable, "the connection was lost"}, now, limits::reconnect_after);
  return ok_status();
}

Status PeerLink::handle(const Poller::Ready& ready, ReadBuffer& buffer, const NodeIdentity& self,
                        Instant now) {
  if (state_ == State::down) return ok_status();
  if (state_ == State::connecting) return greet(self, now);
  Status refusal;
  const auto take = [&](ByteView frame) {
    if (state_ != State::greeting) return false;  // a peer says nothing more on this connection
    const auto identity = peer::decode_welcome(frame);
    if (!identity) {
      refusal = identity.error();
      return false;
    }
    const auto mismatch = find_mismatch(self, *identity);
    if (mismatch) refusal = {Code::mismatch, mismatch->what + ": " + mismatch->message};
    if (!mismatch && identity->node != peer_)
      refusal = {Code::mismatch, "node: " + to_string(identity->node) + " answers there and not " +
                                     to_string(peer_) + ": correct the member's address"};
    if (!refusal.is_ok()) return false;
    state_ = State::open;
    deadline_ = never;
    return true;
  };
  const bool was_open = state_ == State::open;
  if (ready.readable || ready.broken) {
    const auto input = connection_->receive(buffer, now, take, [] { return false; });
    if (!refusal.is_ok()) return go_down(refusal, now, limits::reconnect_after_refusal);
    if (input != FrameConnection::Input::open)
      return go_down({Code::unavailable, "the connection was lost"}, now, limits::reconnect_after);
  }
  if (!was_open && state_ == State::open) {
    // What waited goes first; a batch that is being filled goes on behind it.
    if (batch_) *batch_ += connection_->out().size();
    connection_->out() += waiting_;
    waiting_.clear();
    waiting_.shrink_to_fit();
    end_batch();
  }
  if (!connection_->flush(now))
    return go_down({Code::unavailable, "the connection was lost"}, now, limits::reconnect_after);
  return ok_status();
}

Status PeerLink::expire(Instant now) {
  if (!failure_.is_ok()) return std::exchange(failure_, {});
  if (now >= deadline_)
    return go_down({Code::unavailable, "it did not answer in time"}, now, limits::reconnect_after);
  if (connection_ && connection_->stalled_since() != never &&
      now - connection_->stalled_since() >= limits::unread_deadline)
    return go_down({Code::unavailable, "it reads nothing"}, now, limits::reconnect_after);
  return ok_status();
}

Instant PeerLink::next_deadline() const {
  if (!failure_.is_ok()) return 0;
  Instant next = deadline_;
  if (connection_ && connection_->stalled_since() != never)
    next = std::min(next, connection_->stalled_since() + limits::unread_deadline);
  return next;
}

}  // namespace ringwright::wire
