#pragma once

#include <memory>
#include <string>
#include <vector>

#include "replication/config/settings.h"
#include "replication/runtime/faulty_transport.h"
#include "replication/runtime/node_runner.h"
#include "replication/transport/transport_factory.h"

namespace ringwright {

// How settings become the parts of a node, the same for a cluster in one process and for a node
// that is a process of its own.

using Keyspaces = std::vector<std::shared_ptr<const Keyspace>>;

NodeRunnerSettings node_runner_settings(const Settings& settings, std::string name,
                                        const Keyspaces& keyspaces);

// The first ring over the members, and where each is found; both by the same index, which becomes
// the ring's.
Result<std::shared_ptr<const ClusterMap>> make_first_map(const Settings& settings,
                                                         std::vector<Member> members,
                                                         std::vector<MemberAddress> addresses,
                                                         const Keyspaces& keyspaces);

// Opens the port; with `links`, behind transports that cut and delay as the table says.
Result<NodePort::Opened> open_port(NodePort& port, const NodePort::Options& options,
                                   const std::shared_ptr<LinkTable>& links);

}  // namespace ringwright
