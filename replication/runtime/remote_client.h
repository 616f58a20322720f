#pragma once

#include <memory>
#include <string>
#include <vector>

#include "replication/client/client.h"
#include "replication/transport/transport_factory.h"

namespace ringwright {

// What a client is built on, and the cluster that it leads to.
struct ClientEnd {
  std::shared_ptr<const ClusterMap> map;
  ClientParts parts;
};

// Opens a client's end of a network, with the system's random ids. `invalid`: the options name a
// keyspace or a node that the cluster does not have; otherwise as TransportFactory::open_client.
Result<ClientEnd> open_client_end(TransportFactory& network,
                                  const TransportFactory::ClientOptions& wanted,
                                  const ClientOptions& options);

// Where a cluster of other processes may be.
struct RemoteCluster {
  std::string transport = "thrift";    // by the registry's name
  std::vector<std::string> addresses;  // of some of its nodes, as clients reach them
  Nanoseconds timeout = 0;             // for finding them; 0: the client's
};

// The same for a cluster of other processes: asks one of them who the members are. `unavailable`:
// nobody answered in time; `mismatch`: another protocol.
Result<ClientEnd> open_remote_end(const RemoteCluster& cluster, const ClientOptions& options);

}  // namespace ringwright
