#include "bench/wire/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <thread>

#include "bench/wire/interrupt.h"

namespace ringwright::bench {
namespace {

constexpr std::chrono::milliseconds connect_pause{20};
constexpr int backlog = 128;

Status failed(const std::string& what) {
  return {Code::io_error, what + ": " + std::strerror(errno)};
}

Result<sockaddr_in> parse(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  sockaddr_in parsed{};
  parsed.sin_family = AF_INET;
  std::uint16_t port = 0;
  const std::string host = address.substr(0, colon);
  const char* const end = address.data() + address.size();
  if (colon == address.npos || std::from_chars(address.data() + colon + 1, end, port).ptr != end ||
      port == 0 || ::inet_pton(AF_INET, host.c_str(), &parsed.sin_addr) != 1)
    return Status(Code::invalid, "'" + address + "' is no address; write it as 127.0.0.1:7480");
  parsed.sin_port = htons(port);
  return parsed;
}

Result<ReservedPort> bind_anywhere(int extra_flags) {
  ReservedPort bound;
  bound.socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | extra_flags, 0));
  if (!bound.socket.is_open()) return failed("no socket");
  const int on = 1;
  ::setsockopt(bound.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(bound.socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(bound.socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return failed("no free port of 127.0.0.1");
  bound.port = ntohs(address.sin_port);
  return bound;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void Descriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<ReservedPort> reserve_port() { return bind_anywhere(0); }

Result<ReservedPort> listen_anywhere() {
  auto bound = bind_anywhere(SOCK_NONBLOCK);
  if (bound && ::listen(bound->socket.get(), backlog) != 0) return failed("cannot listen");
  return bound;
}

Status prepare_connection(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  const int on = 1;
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
    return failed("cannot prepare a connection");
  return ok_status();
}

Result<Descriptor> connect_to(const std::string& address,
                              std::chrono::steady_clock::time_point deadline) {
  const auto target = parse(address);
  if (!target) return target.error();
  for (;;) {
    // To this machine a connect is answered at once, so it may block.
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) return failed("no socket");
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*target), sizeof(*target)) ==
        0) {
      RW_TRY(prepare_connection(socket.get()));
      return socket;
    }
    if (std::chrono::steady_clock::now() >= deadline || interrupted())
      return failed("cannot connect to " + address);
    std::this_thread::sleep_for(connect_pause);
  }
}

InputBuffer::Outcome InputBuffer::receive(int fd) {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0 && bytes_.size() - end_ < bytes_.size() / 2) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == bytes_.size()) bytes_.resize(bytes_.size() * 2);  // one frame larger than all
  const ssize_t count = ::recv(fd, bytes_.data() + end_, bytes_.size() - end_, 0);
  if (count > 0) {
    end_ += static_cast<std::size_t>(count);
    return Outcome::received;
  }
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    return Outcome::nothing;
  return Outcome::closed;
}

bool OutputBuffer::send(int fd) {
  const ssize_t count =
      ::send(fd, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  sent_ += static_cast<std::size_t>(count);
  if (sent_ == bytes_.size()) {
    bytes_.clear();
    sent_ = 0;
  }
  return true;
}

}  // namespace ringwright::bench
