#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/base/status.h"

namespace ringwright::bench {

// An open descriptor, closed when this object goes.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release();
  void close();

 private:
  int fd_ = -1;
};

// A socket that is bound to a port of 127.0.0.1 and never listens: no one else is given the port,
// and a process that binds with SO_REUSEADDR can listen there, again after it was killed too.
struct ReservedPort {
  Descriptor socket;
  std::uint16_t port = 0;
  std::string address() const { return "127.0.0.1:" + std::to_string(port); }
};
Result<ReservedPort> reserve_port();

// Listens at a free port of 127.0.0.1, without blocking.
Result<ReservedPort> listen_anywhere();

// A connected socket that does not block and sends at once. Tries again until the deadline while
// the address refuses.
Result<Descriptor> connect_to(const std::string& address,
                              std::chrono::steady_clock::time_point deadline);
// What a connection needs to be served by the loops here: does not block, sends at once.
Status prepare_connection(int fd);

// One direction of bytes that is read in whole batches: what was not consumed moves to the front.
class InputBuffer {
 public:
  explicit InputBuffer(std::size_t capacity) { bytes_.resize(capacity); }

  // One recv. `closed` when the other side ended; nothing new is no error.
  enum class Outcome { received, nothing, closed };
  Outcome receive(int fd);
  ByteView unread() const { return ByteView(bytes_).substr(begin_, end_ - begin_); }
  void consume(std::size_t count) { begin_ += count; }

 private:
  Bytes bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class OutputBuffer {
 public:
  Bytes& bytes() { return bytes_; }
  bool empty() const { return sent_ == bytes_.size(); }
  // One send. False when the connection is lost.
  bool send(int fd);

 private:
  Bytes bytes_;
  std::size_t sent_ = 0;
};

}  // namespace ringwright::bench
