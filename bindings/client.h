#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/client/client.h"
#include "replication/runtime/client_thread.h"
#include "replication/transport/cluster_map.h"

namespace ringwright::python {

// Owns something with threads or locks for a Python object. It is destroyed without the
// interpreter's lock. In a forked child it is never destroyed: the threads that it would wait for,
// and those that held its locks, exist in the parent only.
template <typename Pointer>
class Owned {
 public:
  explicit Owned(Pointer pointer) : pointer_(std::move(pointer)), process_(::getpid()) {}
  ~Owned() {
    if (::getpid() != process_) {
      [[maybe_unused]] const auto* const kept = new Pointer(std::move(pointer_));
      return;
    }
    const pybind11::gil_scoped_release release;
    pointer_ = nullptr;
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  auto* operator->() const { return pointer_.get(); }
  auto& operator*() const { return *pointer_; }

 private:
  Pointer pointer_;
  pid_t process_;
};

// What a Python caller may say of a client that it wants; nothing: as the cluster or the built-in
// values have it.
struct ClientChoice {
  std::string keyspace;
  std::string node;
  std::optional<double> timeout;
  std::optional<std::uint32_t> retries;
};
ClientOptions with_choice(ClientOptions options, const ClientChoice& choice);

// A client and the cluster that it speaks to.
struct PythonClient {
  PythonClient(std::shared_ptr<Client> made, std::shared_ptr<const ClusterMap> known)
      : client(std::move(made)), map(std::move(known)) {}

  Owned<std::shared_ptr<Client>> client;
  std::shared_ptr<const ClusterMap> map;
};

struct PythonAsyncClient {
  PythonAsyncClient(std::shared_ptr<ClientThread> made, std::shared_ptr<const ClusterMap> known)
      : thread(std::move(made)), map(std::move(known)) {}

  Owned<std::shared_ptr<ClientThread>> thread;
  std::shared_ptr<const ClusterMap> map;
};

}  // namespace ringwright::python
