#include "replication/daemon/http_server.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "replication/runtime/thread_name.h"

namespace ringwright {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t worker_count = 4;
constexpr int backlog = 64;
constexpr std::size_t header_bytes_max = 16 * 1024;
constexpr std::size_t body_bytes_max = 256 * 1024;
// How long the rest of a refused request is read, so that its sender sees the answer.
constexpr auto linger_deadline = std::chrono::milliseconds(500);

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

HttpResponse refusal(int status, const std::string& message) {
  // These messages hold nothing that JSON would have to escape.
  return {status, "{\"error\":\"" + message + "\"}\n", "application/json", ""};
}

// What the head of a request says, or the status that refuses it.
struct Head {
  HttpRequest request;
  std::size_t body_bytes = 0;
  bool waits_for_continue = false;
  std::optional<HttpResponse> refused;
};

Head refused_head(int status, const std::string& message) {
  Head head;
  head.refused = refusal(status, message);
  return head;
}

bool read_request_line(std::string_view line, Head& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == line.npos || first == last) return false;
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view protocol = line.substr(last + 1);
  if (protocol != "HTTP/1.1" && protocol != "HTTP/1.0") {
    head.refused = refusal(505, "speak HTTP/1.1");
    return true;
  }
  if (target.empty() || target.front() != '/' || target.find(' ') != target.npos) return false;
  const auto mark = target.find('?');
  head.request.method = line.substr(0, first);
  head.request.path = target.substr(0, mark);
  if (mark != target.npos) head.request.query = target.substr(mark + 1);
  return !head.request.method.empty();
}

Head parse_head(std::string_view text) {
  Head head;
  auto end = text.find("\r\n");
  if (!read_request_line(text.substr(0, end), head)) return refused_head(400, "no HTTP request");
  bool has_length = false;
  while (!head.refused && end != text.npos) {
    text.remove_prefix(end + 2);
    end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == line.npos || colon == 0) return refused_head(400, "a malformed header");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (equal_ignoring_case(name, "transfer-encoding"))
      return refused_head(411, "send the body with a Content-Length");
    if (equal_ignoring_case(name, "expect"))
      head.waits_for_continue = equal_ignoring_case(value, "100-continue");
    if (!equal_ignoring_case(name, "content-length")) continue;
    const auto read =
        std::from_chars(value.data(), value.data() + value.size(), head.body_bytes, 10);
    if (value.empty() || read.ptr != value.data() + value.size() || std::exchange(has_length, true))
      return refused_head(400, "a malformed Content-Length");
    if (read.ec != std::errc{} || head.body_bytes > body_bytes_max)
      return refused_head(413, "the body is above " + std::to_string(body_bytes_max) + " bytes");
  }
  return head;
}

// One connection, with one request on it.
class Connection {
 public:
  Connection(int socket, int stop, Nanoseconds deadline)
      : socket_(socket),
        stop_(stop),
        deadline_(steady_clock::now() + std::chrono::nanoseconds(deadline)) {}
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void serve(const HttpServer::Handler& handler) {
    HttpRequest request;
    std::optional<HttpResponse> refused;
    if (!read_request(request, refused)) return;
    const bool is_head = request.method == "HEAD";
    if (is_head) request.method = "GET";
    send(refused ? *refused : handler(request), is_head);
    if (refused && refused->status != 408) linger();
  }

 private:
  // False when nobody is there to hear an answer.
  bool read_request(HttpRequest& request, std::optional<HttpResponse>& refused) {
    std::size_t end = 0;
    while ((end = input_.find("\r\n\r\n")) == input_.npos) {
      if (input_.size() > header_bytes_max) {
        refused = refusal(431, "the request's head is too large");
        return true;
      }
      if (!receive(refused)) return refused.has_value();
    }
    Head head = parse_head(std::string_view(input_).substr(0, end + 2));
    if (head.refused) {
      refused = std::move(head.refused);
      return true;
    }
    if (head.waits_for_continue && !send_all("HTTP/1.1 100 Continue\r\n\r\n")) return false;
    while (input_.size() < end + 4 + head.body_bytes)
      if (!receive(refused)) return refused.has_value();
    head.request.body = input_.substr(end + 4, head.body_bytes);
    request = std::move(head.request);
    return true;
  }

  bool wait(short events) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - steady_clock::now());
    std::array<pollfd, 2> watched{{{socket_, events, 0}, {stop_, POLLIN, 0}}};
    const int ready = poll(watched.data(), watched.size(),
                           static_cast<int>(std::max<std::int64_t>(0, left.count())));
    return ready > 0 && watched[0].revents != 0;
  }

  bool receive(std::optional<HttpResponse>& refused) {
    std::array<char, 4096> piece{};
    for (;;) {
      if (!wait(POLLIN)) {
        refused = refusal(408, "the request did not come in time");
        return false;
      }
      const ssize_t got = recv(socket_, piece.data(), piece.size(), MSG_DONTWAIT);
      if (got > 0) {
        input_.append(piece.data(), static_cast<std::size_t>(got));
        return true;
      }
      if (got == 0 || (errno != EINTR && errno != EAGAIN)) return false;
    }
  }

  bool send_all(std::string_view text) {
    while (!text.empty()) {
      if (!wait(POLLOUT)) return false;
      const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent > 0)
        text.remove_prefix(static_cast<std::size_t>(sent));
      else if (errno != EINTR && errno != EAGAIN)
        return false;
    }
    return true;
  }

  void send(const HttpResponse& response, bool is_head) {
    std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " +
                       std::string(reason_of(response.status)) +
                       "\r\nContent-Type: " + response.content_type +
                       "\r\nContent-Length: " + std::to_string(response.body.size()) +
                       "\r\nCache-Control: no-store\r\nConnection: close\r\n";
    if (!response.allow.empty()) text += "Allow: " + response.allow + "\r\n";
    text += "\r\n";
    if (!is_head) text += response.body;
    if (send_all(text)) shutdown(socket_, SHUT_WR);
  }

  // Closing with bytes unread would reset the connection and take the answer along.
  void linger() {
    deadline_ = steady_clock::now() + linger_deadline;
    std::array<char, 4096> piece{};
    for (std::size_t read = 0; read < body_bytes_max && wait(POLLIN);) {
      const ssize_t got = recv(socket_, piece.data(), piece.size(), MSG_DONTWAIT);
      if (got <= 0) return;
      read += static_cast<std::size_t>(got);
    }
  }

  const int socket_;
  const int stop_;
  steady_clock::time_point deadline_;
  std::string input_;
};

struct Bound {
  int listener = -1;
  std::uint16_t port = 0;
};

std::uint16_t port_of(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size);
  const in_port_t port = storage.ss_family == AF_INET6
                             ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                             : reinterpret_cast<sockaddr_in*>(&storage)->sin_port;
  return ntohs(port);
}

// A listening socket, or errno.
Result<Bound> bind_one(const addrinfo& place, const std::string& shown) {
  const int listener =
      socket(place.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, place.ai_protocol);
  // So that a node can start again where another one has just ended.
  const int yes = 1;
  if (listener >= 0) setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (listener < 0 || bind(listener, place.ai_addr, place.ai_addrlen) != 0 ||
      listen(listener, backlog) != 0) {
    const std::string why = errno == EADDRINUSE
                                ? "is taken by another process: stop it, or choose another port"
                                : std::string("cannot be listened at: ") + std::strerror(errno);
    if (listener >= 0) ::close(listener);
    return Status{Code::unavailable, shown + " " + why};
  }
  return Bound{listener, port_of(listener)};
}

Result<Bound> bind_to(const SocketAddress& wanted) {
  const std::string shown = format_address(wanted);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(wanted.host.c_str(), std::to_string(wanted.port).c_str(), &hints, &found);
  if (failed != 0)
    return Status{Code::unavailable, shown + " cannot be looked up: " + gai_strerror(failed)};
  Result<Bound> bound = bind_one(*found, shown);
  for (const addrinfo* next = found->ai_next; !bound && next != nullptr; next = next->ai_next)
    if (auto other = bind_one(*next, shown)) bound = std::move(other);
  freeaddrinfo(found);
  return bound;
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const SocketAddress& wanted, Handler handler,
                                                       Nanoseconds deadline) {
  const auto bound = bind_to(wanted);
  if (!bound) return bound.error();
  const int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop < 0) {
    ::close(bound->listener);
    return Status{Code::unavailable, std::string("no eventfd: ") + std::strerror(errno)};
  }
  return std::unique_ptr<HttpServer>(new HttpServer({wanted.host, bound->port}, bound->listener,
                                                    stop, std::move(handler), deadline));
}

HttpServer::HttpServer(SocketAddress address, int listener, int stop, Handler handler,
                       Nanoseconds deadline)
    : address_(std::move(address)),
      listener_(listener),
      stop_(stop),
      handler_(std::move(handler)),
      deadline_(deadline) {
  for (std::size_t i = 0; i < worker_count; ++i)
    workers_.emplace_back([this] {
      name_this_thread("admin");
      serve_connections();
    });
}

HttpServer::~HttpServer() {
  close();
  ::close(stop_);
}

void HttpServer::close() {
  if (workers_.empty()) return;
  const std::uint64_t one = 1;
  // An eventfd refuses only past 2^64 of them.
  [[maybe_unused]] const ssize_t written = write(stop_, &one, sizeof(one));
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  ::close(listener_);
}

void HttpServer::serve_connections() {
  for (;;) {
    std::array<pollfd, 2> watched{{{listener_, POLLIN, 0}, {stop_, POLLIN, 0}}};
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    if (watched[1].revents != 0) return;
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0) {
      Connection(socket, stop_, deadline_).serve(handler_);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The listener stays readable meanwhile: without a pause this would spin.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

}  // namespace ringwright
