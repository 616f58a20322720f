#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"
#include "replication/config/address.h"

namespace ringwright {

struct HttpRequest {
  std::string method;
  std::string path;   // before the '?'
  std::string query;  // after it
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::string allow = {};  // of a 405: the methods that there are
};

// A small HTTP/1.1 server for probes and operators, not for data: few threads, each with one
// connection at a time, one request for each connection, and one deadline for all of it. More
// connections wait in the kernel's queue. What is malformed, too large or too slow is answered with
// an error and closed.
class HttpServer {
 public:
  // Called by several threads at once. It may block for a moment.
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // `unavailable`: the address is taken, or not of this machine. Port 0: the system's choice.
  // `deadline`: from a connection's acceptance to the end of its answer.
  static Result<std::unique_ptr<HttpServer>> listen(const SocketAddress& wanted, Handler handler,
                                                    Nanoseconds deadline = seconds(5));
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const SocketAddress& address() const { return address_; }
  // No handler runs afterwards. Never from a handler.
  void close();

 private:
  HttpServer(SocketAddress address, int listener, int stop, Handler handler, Nanoseconds deadline);
  void serve_connections();

  SocketAddress address_;
  const int listener_;
  const int stop_;  // an eventfd, readable once the server is to end
  const Handler handler_;
  const Nanoseconds deadline_;
  std::vector<std::thread> workers_;
};

}  // namespace ringwright
