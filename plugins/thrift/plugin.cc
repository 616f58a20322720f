#include <memory>
#include <utility>

#include "engine/plugin_api.h"
#include "plugins/thrift/client_transport.h"
#include "plugins/thrift/node_transport.h"
#include "replication/transport/transport_factory.h"

namespace ringwright {
namespace {

constexpr std::string_view any_address = "127.0.0.1:0";

class ThriftPort final : public NodePort {
 public:
  static Result<std::unique_ptr<NodePort>> bind(const MemberAddress& wanted) {
    auto port = std::make_unique<ThriftPort>();
    RW_TRY(port->reserve(wanted.client, port->client_, port->client_socket_));
    RW_TRY(port->reserve(wanted.peer, port->peer_, port->peer_socket_));
    return std::unique_ptr<NodePort>(std::move(port));
  }

  MemberAddress address() const override { return {client_.text(), peer_.text()}; }

  Result<Opened> open(const Options& options) override {
    std::vector<wire::SocketAddress> peers;
    for (const MemberAddress& member : options.map->addresses) {
      auto address = wire::SocketAddress::resolve(member.peer);
      if (!address) return address.error();
      peers.push_back(*address);
    }
    auto clients_at = wire::listen_at(client_);
    if (!clients_at) return clients_at.error();
    auto peers_at = wire::listen_at(peer_);
    if (!peers_at) return peers_at.error();
    auto shared = std::make_shared<wire::NodeShared>(options.shards, peers.size(),
                                                     std::move(*clients_at), std::move(*peers_at));
    shared->facts = {options.map, options.member, RINGWRIGHT_VERSION};
    shared->identity = options.map->identity_of(options.member);
    shared->bounds = options.bounds;
    shared->peer_addresses = std::move(peers);
    shared->clock = options.clock;
    shared->events = options.events;
    Opened opened;
    for (std::uint32_t shard = 0; shard < options.shards; ++shard) {
      shared->switchboard.poller(shard).set_idle_poll(options.idle_poll);
      opened.transports.push_back(std::make_unique<wire::NodeTransport>(shared, shard));
    }
    for (std::uint32_t member = 0; member < options.map->addresses.size(); ++member)
      opened.endpoints.push_back(wire::NodeTransport::endpoint_of_member(member));
    return opened;
  }

 private:
  static Status reserve(const std::string& wanted, wire::SocketAddress& address,
                        wire::Descriptor& socket) {
    auto resolved = wire::SocketAddress::resolve(wanted.empty() ? any_address : wanted);
    if (!resolved) return resolved.error();
    auto reserved = wire::reserve_address(*resolved);
    if (!reserved) return reserved.error();
    auto bound = wire::SocketAddress::of_socket(*reserved);
    if (!bound) return bound.error();
    address = *bound;
    socket = std::move(*reserved);
    return ok_status();
  }

  // They keep the addresses while nobody listens.
  wire::Descriptor client_socket_;
  wire::Descriptor peer_socket_;
  wire::SocketAddress client_;
  wire::SocketAddress peer_;
};

class ThriftFactory final : public TransportFactory {
 public:
  Result<std::unique_ptr<NodePort>> bind(const MemberAddress& wanted) override {
    return ThriftPort::bind(wanted);
  }

  Result<ClientPort> open_client(const ClientOptions& options) override {
    auto map = options.map;
    if (!map) {
      auto found = wire::find_cluster(options.addresses, options.timeout, *options.clock);
      if (!found) return found.error();
      map = std::make_shared<const ClusterMap>(std::move(*found));
    }
    ClientPort port;
    std::vector<wire::SocketAddress> addresses;
    for (std::uint32_t member = 0; member < map->addresses.size(); ++member) {
      auto address = wire::SocketAddress::resolve(map->addresses[member].client);
      if (!address) return address.error();
      addresses.push_back(*address);
      port.endpoints.push_back(wire::ClientTransport::endpoint_of_member(member));
    }
    port.endpoint = wire::ClientTransport::own_endpoint;
    port.transport =
        std::make_unique<wire::ClientTransport>(map, std::move(addresses), options.clock);
    port.map = std::move(map);
    return port;
  }
};

void add_parts(Registry& registry) {
  registry.add<TransportFactory>("thrift", [] { return std::make_unique<ThriftFactory>(); });
}

}  // namespace
}  // namespace ringwright

RINGWRIGHT_PLUGIN(.name = "thrift", .version = RINGWRIGHT_VERSION,
                  .library = "Apache Thrift " RINGWRIGHT_THRIFT_VERSION, .licence = "Apache-2.0",
                  .add_parts = ringwright::add_parts);
