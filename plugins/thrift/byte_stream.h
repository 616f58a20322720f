#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "engine/base/bytes.h"
#include "plugins/thrift/socket.h"

namespace ringwright::wire {

// The bytes of a connection, both ways and never blocking: the one layer that everything above
// reads and writes through, so that an encrypted one can take its place.
class ByteStream {
 public:
  struct Moved {
    std::size_t bytes = 0;
    bool is_over = false;  // the connection has ended or failed
  };
  virtual ~ByteStream() = default;
  // Neither bytes nor the end: nothing for now.
  virtual Moved read(char* into, std::size_t room) = 0;
  virtual Moved write(ByteView bytes) = 0;
  virtual const Descriptor& descriptor() const = 0;
};

class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(Descriptor socket) : socket_(std::move(socket)) {}

  Moved read(char* into, std::size_t room) override {
    const ssize_t count = ::recv(socket_.number(), into, room, 0);
    if (count > 0) return {static_cast<std::size_t>(count), false};
    return {0, count == 0 || !is_temporary(errno)};
  }
  Moved write(ByteView bytes) override {
    const ssize_t count = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return {static_cast<std::size_t>(count), false};
    return {0, !is_temporary(errno)};
  }
  const Descriptor& descriptor() const override { return socket_; }

 private:
  static bool is_temporary(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
  }

  Descriptor socket_;
};

}  // namespace ringwright::wire
