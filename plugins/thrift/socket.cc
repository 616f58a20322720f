#include "plugins/thrift/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace ringwright::wire {
namespace {

constexpr int listen_backlog = 4096;
// After so long without an acknowledgement of what was sent the connection is given up.
constexpr unsigned int unacknowledged_ms_max = 10'000;

// A connection on which nothing is said is asked whether the other side is still there.
constexpr int keepalive_idle_s = 30;
constexpr int keepalive_interval_s = 5;

std::string system_error(int number) { return std::strerror(number); }  // NOLINT: one locale

Result<Descriptor> bound_socket(const SocketAddress& address) {
  Descriptor socket(
      ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.is_open())
    return Status{Code::unavailable, "no socket can be made: " + system_error(errno)};
  const int yes = 1;
  ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (::bind(socket.number(), address.raw(), address.size()) != 0)
    return Status{Code::unavailable, address.text() + " cannot be used: " + system_error(errno) +
                                         "; stop who has it, or choose another port"};
  return socket;
}

void set_options(const Descriptor& socket) {
  const int yes = 1;
  ::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  // A host that vanished says nothing, also not on a connection on which nothing is sent.
  ::setsockopt(socket.number(), SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
  ::setsockopt(socket.number(), IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_idle_s,
               sizeof(keepalive_idle_s));
  ::setsockopt(socket.number(), IPPROTO_TCP, TCP_KEEPINTVL, &keepalive_interval_s,
               sizeof(keepalive_interval_s));
  ::setsockopt(socket.number(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms_max,
               sizeof(unacknowledged_ms_max));
}

}  // namespace

void Descriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Result<SocketAddress> SocketAddress::resolve(std::string_view text) {
  const Status malformed{Code::invalid, "'" + std::string(text) +
                                            "' is no address: write host:port, as in "
                                            "127.0.0.1:7480 or [::1]:7480"};
  const auto colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return malformed;
  std::string host(text.substr(0, colon));
  const std::string port(text.substr(colon + 1));
  std::uint16_t number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  if (read.ec != std::errc{} || read.ptr != port.data() + port.size()) return malformed;
  const bool is_bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  if (!is_bracketed && host.find(':') != host.npos) return malformed;

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0 || found == nullptr)
    return Status{Code::unavailable,
                  "the name in '" + std::string(text) + "' is not known: " + ::gai_strerror(error)};
  SocketAddress address;
  std::memcpy(&address.storage_, found->ai_addr, found->ai_addrlen);
  address.size_ = found->ai_addrlen;
  ::freeaddrinfo(found);
  return address;
}

Result<SocketAddress> SocketAddress::of_socket(const Descriptor& socket) {
  SocketAddress address;
  address.size_ = sizeof(address.storage_);
  if (::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&address.storage_),
                    &address.size_) != 0)
    return Status{Code::unavailable, "a socket has no address: " + system_error(errno)};
  return address;
}

std::string SocketAddress::text() const {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (::getnameinfo(raw(), size_, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "unknown address";
  return family() == AF_INET6 ? "[" + std::string(host) + "]:" + port
                              : std::string(host) + ":" + port;
}

Result<Descriptor> reserve_address(const SocketAddress& address) { return bound_socket(address); }

Result<Descriptor> listen_at(const SocketAddress& address) {
  auto socket = bound_socket(address);
  if (!socket) return socket;
  if (::listen(socket->number(), listen_backlog) != 0)
    return Status{Code::unavailable, address.text() +
                                         " cannot be listened at: " + system_error(errno) +
                                         "; stop who has it, or choose another port"};
  return socket;
}

Descriptor accept_from(const Descriptor& listener) {
  Descriptor accepted(::accept4(listener.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (accepted.is_open()) set_options(accepted);
  return accepted;
}

Result<Descriptor> start_connect(const SocketAddress& address) {
  Descriptor socket(
      ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.is_open())
    return Status{Code::unavailable, "no socket can be made: " + system_error(errno)};
  set_options(socket);
  if (::connect(socket.number(), address.raw(), address.size()) != 0 && errno != EINPROGRESS)
    return Status{Code::unavailable, address.text() + ": " + system_error(errno)};
  return socket;
}

Status connect_result(const Descriptor& socket) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) return ok_status();
  return {Code::unavailable, system_error(error)};
}

}  // namespace ringwright::wire
