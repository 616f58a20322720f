#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/event_log.h"
#include "engine/base/limits.h"
#include "engine/base/status.h"
#include "replication/transport/cluster_map.h"
#include "replication/transport/transport.h"

namespace ringwright {

// What a node bears from its clients, where a transport has connections.
struct ConnectionBounds {
  Nanoseconds frame_deadline = limits::frame_deadline;
  Nanoseconds idle_deadline = limits::idle_deadline;
  Nanoseconds unread_deadline = limits::unread_deadline;
};

// A node's place in the network, kept for as long as this lives: nobody else gets its addresses,
// also while the node is down.
class NodePort {
 public:
  virtual ~NodePort() = default;

  // With the ports that the system chose.
  virtual MemberAddress address() const = 0;

  struct Options {
    std::shared_ptr<const ClusterMap> map;
    std::uint32_t member = 0;  // which of the members this is
    std::uint32_t shards = 1;
    ConnectionBounds bounds;
    // How long at most a thread that has nothing to do looks for messages before it sleeps, where
    // the transport can look.
    Nanoseconds idle_poll = 0;
    std::shared_ptr<Clock> clock;
    std::shared_ptr<EventLog> events;  // none: nobody wants to know
  };
  struct Opened {
    std::vector<Endpoint> endpoints;                     // of all members, by their index
    std::vector<std::unique_ptr<Transport>> transports;  // by shard, all of the own endpoint
  };
  // Brings the node up: from now on others can reach it. Again after all transports were closed.
  // `unavailable`: the network refused, as somebody else has the address.
  virtual Result<Opened> open(const Options& options) = 0;
};

// A client's end: an endpoint of its own.
struct ClientPort {
  Endpoint endpoint = 0;
  std::unique_ptr<Transport> transport;
  std::shared_ptr<const ClusterMap> map;
  std::vector<Endpoint> endpoints;  // of the members, by their index
};

// Makes the transports of one network: a part found by name ("loopback", "thrift"). Objects made
// here stay valid without it. Threads: any.
class TransportFactory {
 public:
  static constexpr std::string_view kind = "transport";
  virtual ~TransportFactory() = default;

  // Addresses in the transport's own notation; one may leave the choice to the system
  // ("127.0.0.1:0", or empty). `invalid`: it cannot be read; `unavailable`: it is taken.
  virtual Result<std::unique_ptr<NodePort>> bind(const MemberAddress& wanted) = 0;

  struct ClientOptions {
    // Either who the members are, or where some of them may be: the first that answers is asked.
    std::shared_ptr<const ClusterMap> map;
    std::vector<std::string> addresses;
    Nanoseconds timeout = 0;  // for finding them
    std::shared_ptr<Clock> clock;
  };
  // `unavailable`: nobody answered in time; `mismatch`: another protocol.
  virtual Result<ClientPort> open_client(const ClientOptions& options) = 0;
};

}  // namespace ringwright
