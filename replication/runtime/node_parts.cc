#include "replication/runtime/node_parts.h"

#include <utility>

#include "replication/runtime/cluster_map.h"

namespace ringwright {

NodeRunnerSettings node_runner_settings(const Settings& settings, std::string name,
                                        const Keyspaces& keyspaces) {
  NodeRunnerSettings made;
  made.name = std::move(name);
  made.shards = static_cast<std::uint32_t>(settings.number("node.shards"));
  made.executor_threads = static_cast<std::uint32_t>(settings.number("node.executor_threads"));
  made.ping_interval = settings.duration("membership.ping_interval");
  made.suspect_after = settings.duration("membership.suspect_after");
  made.keyspaces = keyspaces;
  return made;
}

Result<std::shared_ptr<const ClusterMap>> make_first_map(const Settings& settings,
                                                         std::vector<Member> members,
                                                         std::vector<MemberAddress> addresses,
                                                         const Keyspaces& keyspaces) {
  auto ring = Ring::make(1, std::move(members),
                         static_cast<std::uint32_t>(settings.number("cluster.partitions")));
  if (!ring) return ring.error();
  return make_cluster_map(settings.text("cluster.name"),
                          std::make_shared<const Ring>(std::move(*ring)), std::move(addresses),
                          keyspaces);
}

Result<NodePort::Opened> open_port(NodePort& port, const NodePort::Options& options,
                                   const std::shared_ptr<LinkTable>& links) {
  auto opened = port.open(options);
  if (!opened || !links) return opened;
  for (auto& transport : opened->transports)
    transport = std::make_unique<FaultyTransport>(std::move(transport), links, options.clock);
  return opened;
}

}  // namespace ringwright
