#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "replication/client/client.h"
#include "replication/config/settings.h"
#include "replication/runtime/client_thread.h"
#include "replication/runtime/engine_faults.h"
#include "replication/runtime/key_placement.h"
#include "replication/runtime/node_status.h"
#include "replication/transport/cluster_map.h"

namespace ringwright {

// A cluster of nodes node1..nodeN in this process, each with its threads, engines and directory,
// over an in-process network whose links can be cut and delayed.
//
// Threads: every method may be called from any thread; those that start, stop and kill nodes wait
// for each other. No thread outlives `close`. Clients made here are closed with the cluster.
class Cluster {
 public:
  // Nodes, engines and keyspaces as the settings say; `node.data_dir` empty: a fresh temporary
  // directory, removed at `close`. Node `nodeK` lives in `<dir>/nodeK`.
  // `invalid`: the settings; `locked`: a directory is in use; `mismatch`: a directory was written
  // by another engine, kind, cluster, node or format.
  static Result<std::unique_ptr<Cluster>> local(const Settings& settings);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // `options` start from `client_options()`. `invalid`: no such keyspace or node; `closed`.
  Result<std::shared_ptr<Client>> client(ClientOptions options);
  Result<std::shared_ptr<Client>> client() { return client(client_options()); }
  Result<std::shared_ptr<ClientThread>> async_client(ClientOptions options);
  // What the settings' section [client] says.
  ClientOptions client_options() const;

  // Node names; an unknown one is `invalid` and named the nearest.
  // Clean: what is in flight is finished or refused, engines are flushed and closed.
  Status stop(std::string_view node);
  // As a process dies: queues are dropped, engines closed without a flush. What the keyspace's
  // durability promised survives.
  Status kill(std::string_view node);
  // Opens the directory of a stopped or killed node again; of a running one nothing happens.
  Status restart(std::string_view node);
  // The node's threads stand still while messages for it pile up, until it is resumed.
  Status pause(std::string_view node);
  Status resume(std::string_view node);

  // One engine of a node, which goes on, stands still or fails as `change` says, until the node is
  // started anew. `invalid`: it does not run, or as `NodeRunner::change_engine`.
  Status change_engine(std::string_view node, const EngineFaults& change);

  // Cuts all links between nodes of different groups, both ways, and replaces an earlier partition
  // of the network; single cuts and delays stay. Nodes in no group keep all their links, and
  // clients reach every node.
  Status partition(const std::vector<std::vector<std::string>>& groups);
  // One direction. What is sent over a cut link is lost in silence.
  Status cut(std::string_view from, std::string_view to);
  Status delay(std::string_view from, std::string_view to, Nanoseconds delay);
  // Mends every cut and delay.
  void heal();

  std::vector<std::string> node_names() const;
  Result<NodeStatus> status(std::string_view node) const;
  std::vector<NodeStatus> status() const;
  std::shared_ptr<const Ring> ring() const;
  std::shared_ptr<const ClusterMap> map() const;
  // The key's primaries, or those that stand in for them, given which nodes run.
  Result<std::vector<Placement>> preference_list(std::string_view keyspace, ByteView key) const;
  std::vector<std::shared_ptr<const Keyspace>> keyspaces() const;
  const Settings& settings() const;
  std::string directory() const;

  void close();
  bool is_closed() const;

 private:
  class Body;
  explicit Cluster(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace ringwright
