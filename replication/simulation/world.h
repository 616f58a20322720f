#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/decorator/fault_plan.h"
#include "replication/history/history.h"
#include "replication/shard/keyspace.h"
#include "replication/simulation/simulated_disk.h"
#include "replication/simulation/simulated_network.h"
#include "replication/transport/message.h"
#include "replication/version/row.h"

namespace ringwright {

// How long engine calls take; each draws from [0, longest], and one in a hundred up to ten times
// that.
struct EngineTimes {
  Nanoseconds read_max = microseconds(100);
  Nanoseconds write_max = microseconds(200);
  Nanoseconds sync_max = milliseconds(2);
};

struct SimulationOptions {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 5;
  std::uint32_t shards = 1;
  std::uint32_t clients = 1;
  std::uint32_t partitions = 32;

  std::uint32_t n = 3;
  std::uint32_t r = 2;
  std::uint32_t w = 2;
  bool sloppy = true;
  FanOut fan_out = FanOut::all;
  std::string resolver = "vector_clock";  // or "lww"
  Durability durability = Durability::disk;
  bool native_merge = false;
  std::size_t value_bytes_max = limits::value_bytes_max;
  std::size_t record_bytes_max = limits::record_bytes_max;
  std::size_t siblings_max = limits::siblings_max;
  std::size_t frame_bytes_max = limits::frame_bytes_max;
  std::size_t operations_max = limits::operations_max;

  NetworkSettings network;
  EngineTimes engine_times;
  bool inline_engine = false;  // calls that need not block are done at once, as production does
  bool failed_sync_drops_pages = false;  // what a failed sync covered never reaches the disk

  Nanoseconds ping_interval = milliseconds(200);
  Nanoseconds suspect_after = milliseconds(700);
  Nanoseconds clock_skew_max = 0;  // each node's wall clock is off by up to this, either way
  double clock_drift_ppm_max = 0;  // and runs faster or slower by up to this
};

// A node by its index: 0 to nodes - 1, and from there on the clones in the order they were made.
using NodeIndex = std::uint32_t;
// An operation of a client, as `start_*` named it: also its id in the history.
using OperationHandle = std::uint64_t;

struct OperationOptions {
  std::uint32_t client = 0;
  std::optional<Bytes> context;  // of a put: encoded, as a reply gave it; nullopt: none
  bool remembered = false;  // of a put without context: the last that this client has of the key
  std::uint32_t level = 0;  // r or w of this operation; 0: the keyspace's
  Nanoseconds timeout = seconds(1);  // of one try
  // Further tries of the same request, each through the next of these nodes, when one has failed or
  // was not answered in time.
  std::vector<NodeIndex> retry_through;
};

struct OperationResult {
  bool done = false;
  Outcome outcome = Outcome::unknown;
  Code code = Code::ok;
  std::string message;
  std::vector<ShownSibling> siblings;  // of a get; none: absent or deleted
  Bytes context;                       // encoded; empty when no reply gave one
  Dot dot;                             // of a put that is ok
  std::uint32_t required = 0;
  std::uint32_t received = 0;
  std::uint32_t tries = 0;
};

// What one replica has stored of a key.
struct StoredRow {
  Bytes bytes;
  Row row;
};

// A whole cluster in one thread and in virtual time: the very machines of production (Node, Shard,
// engines) over simulated disks, a simulated network and clocks that are off. Everything that is
// not scripted is drawn from the seed, so equal options and equal calls give equal runs, and
// `digest` is equal. Instants are nanoseconds since the start of the world.
//
// Nothing happens between calls: a call that starts something returns at once, and `run_for`,
// `run_until`, `run_until_done` let time pass. `put`, `get`, `remove` do both.
//
// A node's process may end (stop, crash, power cut) and start again (restart) on what its disk
// holds then. Wipe, backup, restore are done to the disk of a node that is down; `clone` starts a
// second process of the same node on a copy of its disk.
class Simulation {
 public:
  explicit Simulation(SimulationOptions options);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  const SimulationOptions& options() const;

  // Time.
  Instant now() const;
  void run_for(Nanoseconds span);
  void run_until(Instant until);
  // False when it was not done by then.
  bool run_until_done(OperationHandle operation, Instant until = never);

  // Clients.
  OperationHandle start_get(NodeIndex node, ByteView key, const OperationOptions& options = {});
  OperationHandle start_put(NodeIndex node, ByteView key, ByteView value,
                            const OperationOptions& options = {});
  OperationHandle start_remove(NodeIndex node, ByteView key, const OperationOptions& options = {});
  const OperationResult& result(OperationHandle operation) const;
  OperationResult get(NodeIndex node, ByteView key, const OperationOptions& options = {});
  OperationResult put(NodeIndex node, ByteView key, ByteView value,
                      const OperationOptions& options = {});
  OperationResult remove(NodeIndex node, ByteView key, const OperationOptions& options = {});
  // Called once for each operation when it is done. It may start the next.
  void on_finished(std::function<void(OperationHandle)> finished);
  // The client starts a new session: it knows no context any more.
  void forget_contexts(std::uint32_t client);

  // Where keys live.
  std::vector<NodeIndex> primaries_of(ByteView key) const;
  // The nodes in the order in which the key prefers them, primaries first.
  std::vector<NodeIndex> preference_of(ByteView key) const;

  // Links between nodes.
  void cut(NodeIndex source, NodeIndex target);  // one direction
  void mend(NodeIndex source, NodeIndex target);
  void partition(const std::vector<std::vector<NodeIndex>>& groups);  // cuts between the groups
  void heal();                                                        // all links; rules stay
  // Script for messages between nodes; `hold` keeps them until `release`. In `MessageRule` nodes
  // are endpoints: endpoint_of(node).
  Endpoint endpoint_of(NodeIndex node) const;
  Endpoint endpoint_of_client(std::uint32_t client) const;
  RuleId add_rule(MessageRule rule);
  void release(RuleId rule);
  void discard(RuleId rule);
  std::uint64_t matched(RuleId rule) const;
  SimulatedNetwork& network();

  // Life of a node.
  bool is_up(NodeIndex node) const;
  std::size_t processes() const;       // nodes and clones
  Status restart(NodeIndex node);      // ends the process first when it runs
  void stop(NodeIndex node);           // closes its engines
  void crash(NodeIndex node);          // the process dies; what it wrote stays
  void power_cut(NodeIndex node);      // and what was not synced is lost, but for a drawn prefix
  void wipe(NodeIndex node);           // ends the process and empties the disk
  std::size_t backup(NodeIndex node);  // a copy of the disk as it is; returns its name
  void restore(NodeIndex node, std::size_t backup);  // ends the process
  // A second process with the node's identity on a copy of its disk, at an endpoint of its own.
  // It calls itself the member; the others know nothing of its endpoint.
  NodeIndex clone(NodeIndex node);

  // Engines.
  std::shared_ptr<FaultPlan> faults(NodeIndex node);  // of the keyspace's engine; outlives restarts
  // What the node's keyspace engine holds, faults aside. `unavailable` when the node is down.
  Result<std::optional<StoredRow>> stored_row(NodeIndex node, ByteView key,
                                              RowKind kind = RowKind::data) const;
  // Puts these bytes where the row is, behind the machines' back: damage.
  Status overwrite_row(NodeIndex node, ByteView key, ByteView bytes, RowKind kind = RowKind::data);
  // Takes the row away behind the machines' back: a copy that is lost while the process lives.
  Status lose_row(NodeIndex node, ByteView key, RowKind kind = RowKind::data);
  // All rows of the kind that the node holds, by user key.
  Result<std::vector<std::pair<Bytes, StoredRow>>> stored_rows(NodeIndex node, RowKind kind) const;
  // True while a running process may have fallback rows to deliver.
  bool may_hold_fallback_rows() const;
  // A write or sync of the running process ended in doubt or with an error: its engine may answer
  // nothing but errors until it is opened again.
  bool engine_has_failed(NodeIndex node) const;
  SimulatedDisk& disk(NodeIndex node);  // for failing its calls

  // What came of it.
  const History& history() const;
  // Replies that no correct node sends: for another key, request or client.
  const std::vector<std::string>& protocol_errors() const;
  std::map<std::string, std::uint64_t> counters() const;  // of all shards, added up over restarts
  const Trace& trace() const;
  std::string digest() const;  // 16 hex digits

  // A stream of the seed for whoever scripts: its draws shift nothing else.
  SeededRandom stream(std::string_view name) const;
  // Runs `action` at the instant, within the run.
  void at(Instant when, std::function<void()> action);

 private:
  class World;
  std::unique_ptr<World> world_;
};

}  // namespace ringwright
