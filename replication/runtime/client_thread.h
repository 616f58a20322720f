#pragma once

#include <memory>
#include <vector>

#include "engine/base/status.h"
#include "replication/client/async_client.h"

namespace ringwright {

// An AsyncClient with its thread, and a descriptor that becomes readable when there are answers:
// whoever watches it need not be called from a foreign thread.
class ClientThread {
 public:
  // `unavailable`: the process has no descriptors left.
  static Result<std::shared_ptr<ClientThread>> start(ClientParts parts, ClientOptions options);
  ~ClientThread();
  ClientThread(const ClientThread&) = delete;
  ClientThread& operator=(const ClientThread&) = delete;

  AsyncClient& client();
  // Readable while there may be something to collect; belongs to this object.
  int descriptor() const;
  // As AsyncClient::collect; what made the descriptor readable is taken out.
  std::vector<AsyncClient::Answer> collect();
  // Ends all calls and the thread; from any thread but its own.
  void close();

 private:
  struct Body;
  explicit ClientThread(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace ringwright
