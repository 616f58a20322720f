#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/decorator/metered_engine.h"
#include "engine/registry.h"
#include "replication/runtime/data_directory.h"
#include "replication/runtime/engine_faults.h"
#include "replication/runtime/node_status.h"
#include "replication/runtime/shard_loop.h"
#include "replication/runtime/thread_pool_executor.h"

namespace ringwright {

struct NodeRunnerSettings {
  std::string name;
  std::uint32_t shards = 1;
  std::uint32_t executor_threads = limits::executor_threads;
  Nanoseconds ping_interval = limits::ping_interval;
  Nanoseconds suspect_after = limits::suspect_after;
  std::vector<std::shared_ptr<const Keyspace>> keyspaces;  // in the order of their engines
  // Told what the node believes of the members whenever that may have changed, on a thread of the
  // node, which waits meanwhile; may be empty.
  std::function<void(const std::shared_ptr<const View>&)> watch_view;
};

// Where the node stands among the others.
struct NodePlace {
  std::shared_ptr<const Ring> ring;
  std::uint32_t member = 0;
  std::vector<Endpoint> endpoints;                     // by member index
  std::vector<std::unique_ptr<Transport>> transports;  // by shard, all of its own endpoint
};

// One node in production: its engines, its machines, a thread for each shard and an executor.
//
//   open ---> start ---> stop | kill
//
// Threads: any; calls of one object exclude each other. After `stop` or `kill` no thread of it is
// left and the directory is free again once the object is destroyed.
class NodeRunner {
 public:
  // Opens the engines; the node does nothing yet and is not to be seen by others.
  static Result<std::unique_ptr<NodeRunner>> open(Registry& registry, NodeRunnerSettings settings,
                                                  DataDirectory directory,
                                                  std::shared_ptr<Clock> clock);
  ~NodeRunner();
  NodeRunner(const NodeRunner&) = delete;
  NodeRunner& operator=(const NodeRunner&) = delete;

  NodeId id() const { return directory_.node(); }
  // Ready to answer when it returns: the first lease of the clock is durable. Once.
  Status start(NodePlace place);
  // Finishes what is at the engines, flushes and closes them. What a slow or paused engine holds
  // goes on at once, here and in `kill`.
  Status stop();
  // Drops what is in flight and closes the engines without a flush.
  void kill();
  void set_paused(bool paused);

  NodeStatus status();

  // Of the engines that can be made to fail or stand still. A node that is opened again has none of
  // what was changed here.
  std::vector<EngineFaults> engine_faults();
  // As `change_engine_faults`; `invalid` also for an unknown keyspace, naming the nearest.
  Status change_engine(const EngineFaults& change);

 private:
  struct Engine {
    std::string keyspace;
    Durability durability = Durability::none;
    std::unique_ptr<MeteredEngine> engine;  // around what the settings ask for

    StorageEngine& asked_for() const { return *engine->inner(); }
  };

  NodeRunner(NodeRunnerSettings settings, DataDirectory directory, std::shared_ptr<Clock> clock);
  Status open_engine(Registry& registry, const Keyspace& keyspace, const std::string& path);
  Status open_system_engine(Registry& registry);
  Status open_metered(Registry& registry, const std::string& keyspace, const std::string& engine,
                      EngineContext context);
  Result<Timestamp> read_clock_bound();
  // The node machine with a durable lease, and what it has published.
  Result<std::unique_ptr<Node>> make_node(const NodePlace& place, Timestamp stored_bound,
                                          std::shared_ptr<const NodeState>& state);
  ShardLoop::Parts loop_parts(NodePlace& place, std::uint32_t shard, Timestamp stored_bound);
  void let_held_calls_go();
  void end_loops(ShardLoop::End end);
  Status close_engines(bool flush);

  const NodeRunnerSettings settings_;
  DataDirectory directory_;
  const std::shared_ptr<Clock> clock_;

  std::mutex mutex_;             // guards all below
  std::vector<Engine> engines_;  // by index; the system engine's last
  std::unique_ptr<ThreadPoolExecutor> executor_;
  std::vector<std::unique_ptr<ShardLoop>> loops_;
  NodeCondition condition_ = NodeCondition::stopped;
  std::shared_ptr<const Ring> ring_;
};

}  // namespace ringwright
