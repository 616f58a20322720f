#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/status.h"

namespace ringwright::wire {

// Owns a descriptor; -1: none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void reset();

 private:
  int number_ = -1;
};

// A resolved address of a TCP socket.
class SocketAddress {
 public:
  // "127.0.0.1:7480", "[::1]:7480", "host.example:7480"; port 0 is the system's choice. `invalid`:
  // it cannot be read; `unavailable`: the name is not known. Looking a name up may block.
  static Result<SocketAddress> resolve(std::string_view text);
  static Result<SocketAddress> of_socket(const Descriptor& socket);

  std::string text() const;
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// Keeps the address for this process's children and itself: bound, never listening. Others may bind
// it as well, as long as nobody listens there, if they ask for SO_REUSEADDR as this does; the
// system gives its port to nobody.
Result<Descriptor> reserve_address(const SocketAddress& address);
// `unavailable`: somebody else listens there.
Result<Descriptor> listen_at(const SocketAddress& address);
// Not blocking; none when the queue is empty, with errno as it was.
Descriptor accept_from(const Descriptor& listener);
// Begins; the socket becomes writable when it ends.
Result<Descriptor> start_connect(const SocketAddress& address);
// How a started connect ended.
Status connect_result(const Descriptor& socket);

}  // namespace ringwright::wire
