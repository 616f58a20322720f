#include "plugins/thrift/frame_connection.h"

#include <utility>

namespace ringwright::wire {
namespace {

// What an empty buffer may keep for the next time.
constexpr std::size_t spare_bytes_max = 256 * 1024;

}  // namespace

FrameConnection::FrameConnection(std::unique_ptr<ByteStream> stream, Poller& poller,
                                 Poller::Tag tag, Instant now)
    : stream_(std::move(stream)), poller_(poller), tag_(tag), active_at_(now) {
  poller_.add(stream_->descriptor(), tag_, interest_);
}

FrameConnection::~FrameConnection() { poller_.remove(stream_->descriptor()); }

bool FrameConnection::flush(Instant now) {
  if (unsent() > 0) {
    if (sent_ == 0 && !interest_.write) stalled_since_ = now;
    const auto moved = stream_->write(ByteView(out_).substr(sent_));
    if (moved.is_over) return false;
    sent_ += moved.bytes;
    if (moved.bytes > 0) stalled_since_ = now;
  }
  if (unsent() == 0) {
    out_.clear();
    sent_ = 0;
    if (out_.capacity() > spare_bytes_max) out_.shrink_to_fit();
  } else if (sent_ > spare_bytes_max && sent_ > out_.size() / 2) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  update_interest();
  return true;
}

void FrameConnection::update_interest() {
  const Poller::Interest wanted{reading_, unsent() > 0, false};
  if (wanted == interest_) return;
  interest_ = wanted;
  poller_.change(stream_->descriptor(), tag_, interest_);
}

void FrameConnection::keep(ByteView rest, Instant now) {
  partial_ = rest;
  partial_since_ = now;
}

void FrameConnection::trim() {
  if (partial_.empty()) partial_.shrink_to_fit();
  if (out_.empty()) out_.shrink_to_fit();
}

void FrameConnection::drop_partial() {
  partial_.clear();
  if (partial_.capacity() > spare_bytes_max) partial_.shrink_to_fit();
}

}  // namespace ringwright::wire
