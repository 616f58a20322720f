#pragma once

#include <replication/transport/transport_factory.h>

#include <memory>
#include <string>
#include <string_view>

#include "lagging_transport.h"

namespace lagging {

// The configuration has options for engines only. Those of this transport stand in the environment,
// which the processes of a cluster inherit: RINGWRIGHT_LAGGING="around=thrift,latency=20ms"
constexpr const char* options_variable = "RINGWRIGHT_LAGGING";

// Makes the transports of another network late, at both ends: of nodes and of clients.
//
// Options
//   latency   how long each envelope is held, one way; must be given
//   jitter    the most that is added to it (0s)
//   seed      decides what is added (0)
//   around    the transport that carries them, by its name in the registry (loopback)
//
// What is wrong with them, `bind` and `open_client` tell. Threads: any.
class LaggingFactory final : public rw::TransportFactory {
 public:
  explicit LaggingFactory(std::string_view options);

  rw::Result<std::unique_ptr<rw::NodePort>> bind(const rw::MemberAddress& wanted) override;
  rw::Result<rw::ClientPort> open_client(const ClientOptions& options) override;

 private:
  rw::Status read(std::string_view options);

  Lag lag_;
  std::unique_ptr<rw::TransportFactory> inner_;
  rw::Status status_;  // after an error there is no inner_
};

}  // namespace lagging
