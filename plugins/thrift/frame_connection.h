#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/time.h"
#include "plugins/thrift/binary.h"
#include "plugins/thrift/byte_stream.h"
#include "plugins/thrift/poller.h"

namespace ringwright::wire {

// Room for one read, shared by all connections of a thread: an idle connection keeps no buffer.
using ReadBuffer = std::vector<char>;
constexpr std::size_t read_buffer_bytes = 256 * 1024;

// One connection that carries frames: a length of 4 bytes, then that many. Reads and writes are
// batched: one call of the system for all that a wake-up brings, one for all that it makes.
//
// A frame's length is compared with the bound before anything is kept, and memory grows with what
// has arrived, never with what was announced.
class FrameConnection {
 public:
  FrameConnection(std::unique_ptr<ByteStream> stream, Poller& poller, Poller::Tag tag, Instant now);
  ~FrameConnection();
  FrameConnection(const FrameConnection&) = delete;
  FrameConnection& operator=(const FrameConnection&) = delete;

  enum class Input : std::uint8_t { open, ended, too_large, refused };

  // Reads once and hands each complete frame to `take(ByteView)`, which answers false to end the
  // connection; stops early, and keeps what is left for `go_on`, when `is_full()` says so.
  template <typename Take, typename IsFull>
  Input receive(ReadBuffer& buffer, Instant now, const Take& take, const IsFull& is_full) {
    buffer.resize(read_buffer_bytes);
    const auto moved = stream_->read(buffer.data(), buffer.size());
    if (moved.bytes > 0) active_at_ = now;
    const ByteView arrived(buffer.data(), moved.bytes);
    Input input = Input::open;
    if (partial_.empty()) {
      const std::size_t used = consume(arrived, take, is_full, input);
      if (used < arrived.size()) keep(arrived.substr(used), now);
    } else {
      partial_.append(arrived);
      input = go_on(now, take, is_full);
    }
    return input == Input::open && moved.is_over ? Input::ended : input;
  }

  // Goes on with frames that have arrived before.
  template <typename Take, typename IsFull>
  Input go_on(Instant now, const Take& take, const IsFull& is_full) {
    Input input = Input::open;
    const std::size_t used = consume(partial_, take, is_full, input);
    if (used == 0) return input;
    if (used == partial_.size())
      drop_partial();
    else
      partial_.erase(0, used);
    if (!partial_.empty()) partial_since_ = now;
    return input;
  }

  // What is appended here goes out with the next `flush`.
  Bytes& out() { return out_; }
  std::size_t unsent() const { return out_.size() - sent_; }
  // False: the connection is over.
  bool flush(Instant now);

  // The largest frame that may come.
  void set_frame_bytes_max(std::size_t bytes) { frame_bytes_max_ = bytes; }

  // Whether it wants to hear of what arrives; the poller learns of it with the next `flush`.
  void set_reading(bool reading) { reading_ = reading; }
  bool is_reading() const { return reading_; }
  // Reads again; the other side could not go on with its frame until now.
  void resume_reading(Instant now) {
    reading_ = true;
    partial_since_ = now;
  }
  // Gives back the memory of empty buffers.
  void trim();

  // Since when a frame has been incomplete; `never`: none is.
  Instant partial_since() const { return partial_.empty() ? never : partial_since_; }
  // Since when the other side has taken nothing of what a flush had to leave; `never`: none had to.
  // What was appended since the last flush does not wait for the other side.
  Instant stalled_since() const { return interest_.write ? stalled_since_ : never; }
  Instant active_at() const { return active_at_; }
  std::size_t buffered() const { return partial_.size() + unsent(); }
  const ByteStream& stream() const { return *stream_; }

 private:
  // How much of the input whole frames have taken.
  template <typename Take, typename IsFull>
  std::size_t consume(ByteView input, const Take& take, const IsFull& is_full, Input& end) {
    std::size_t used = 0;
    while (input.size() - used >= binary::frame_head_bytes) {
      const std::size_t size = binary::frame_size(input.data() + used);
      if (size > frame_bytes_max_ || size == 0) {
        end = Input::too_large;
        break;
      }
      if (input.size() - used - binary::frame_head_bytes < size || is_full()) break;
      const ByteView frame = input.substr(used + binary::frame_head_bytes, size);
      used += binary::frame_head_bytes + size;
      if (!take(frame)) {
        end = Input::refused;
        break;
      }
    }
    return used;
  }
  void keep(ByteView rest, Instant now);
  void drop_partial();
  void update_interest();

  const std::unique_ptr<ByteStream> stream_;
  Poller& poller_;
  const Poller::Tag tag_;
  Poller::Interest interest_;
  bool reading_ = true;
  std::size_t frame_bytes_max_ = limits::frame_bytes_max;
  Bytes partial_;
  Instant partial_since_ = 0;
  Bytes out_;
  std::size_t sent_ = 0;
  Instant stalled_since_ = 0;
  Instant active_at_ = 0;
};

}  // namespace ringwright::wire
