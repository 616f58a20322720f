#include "replication/runtime/remote_client.h"

#include <utility>

#include "engine/base/nearest.h"
#include "engine/base/random.h"
#include "replication/runtime/parts.h"
#include "replication/runtime/process_generation.h"

namespace ringwright {
namespace {

Status unknown(const char* what, const std::string& name, const std::vector<std::string>& known) {
  return {Code::invalid, std::string("there is no ") + what + " '" + name + "'; did you mean '" +
                             nearest_name(name, known) + "'?"};
}

Status check_names(const ClusterMap& map, const ClientOptions& options) {
  std::vector<std::string> nodes;
  for (const Member& member : map.ring->members()) nodes.push_back(member.name);
  if (!options.node.empty() && !map.ring->index_of_name(options.node))
    return unknown("node", options.node, nodes);
  std::vector<std::string> keyspaces;
  for (const KeyspaceSummary& keyspace : map.keyspaces) {
    if (keyspace.name == options.keyspace) return ok_status();
    keyspaces.push_back(keyspace.name);
  }
  return unknown("keyspace", options.keyspace, keyspaces);
}

}  // namespace

Result<ClientEnd> open_client_end(TransportFactory& network,
                                  const TransportFactory::ClientOptions& wanted,
                                  const ClientOptions& options) {
  auto port = network.open_client(wanted);
  if (!port) return port.error();
  if (const Status status = check_names(*port->map, options); !status.is_ok()) {
    port->transport->close();
    return status;
  }
  SystemRandom random;
  ClientEnd end;
  end.map = port->map;
  end.parts.transport = std::move(port->transport);
  end.parts.endpoint = port->endpoint;
  end.parts.ring = end.map->ring;
  end.parts.endpoints = std::move(port->endpoints);
  for (const KeyspaceSummary& keyspace : end.map->keyspaces)
    end.parts.keyspaces[keyspace.name] = keyspace.n;
  end.parts.clock = wanted.clock;
  end.parts.id_high = random.next();
  end.parts.id_low = random.next();
  end.parts.process = process_generation;
  return end;
}

Result<ClientEnd> open_remote_end(const RemoteCluster& cluster, const ClientOptions& options) {
  if (cluster.addresses.empty())
    return Status{Code::invalid, "name at least one address, such as 127.0.0.1:7480"};
  auto network = registry_with_parts().create_unique<TransportFactory>(cluster.transport);
  if (!network) return network.error();
  TransportFactory::ClientOptions wanted;
  wanted.addresses = cluster.addresses;
  wanted.timeout = cluster.timeout > 0 ? cluster.timeout : options.timeout;
  wanted.clock = make_system_clock();
  return open_client_end(**network, wanted, options);
}

}  // namespace ringwright
