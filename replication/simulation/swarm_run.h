#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replication/history/checkers.h"
#include "replication/simulation/swarm_parameters.h"
#include "replication/simulation/world.h"
#include "replication/transport/assembler.h"

namespace ringwright {

// The clients of a run: each does one operation after the other, as drawn.
class SwarmWorkload {
 public:
  SwarmWorkload(Simulation& world, const SwarmParameters& parameters);
  void start();
  bool done() const { return running_ == 0; }
  std::vector<Bytes> keys() const;
  // Where some operations go for as long as a clone lives.
  void set_clone(std::optional<NodeIndex> clone) { clone_ = clone; }

 private:
  void step(std::uint32_t client);
  void finished(OperationHandle handle);
  NodeIndex draw_node(const Bytes& key);
  OperationOptions draw_options(std::uint32_t client, const Bytes& key, bool is_write);
  Bytes draw_value(const Bytes& key, std::uint32_t client);

  Simulation& world_;
  const SwarmParameters& parameters_;
  SeededRandom random_;
  std::optional<NodeIndex> clone_;
  std::map<OperationHandle, std::uint32_t> clients_;  // of the running operations
  std::map<Bytes, std::vector<Bytes>> contexts_;      // by key, all that any reply gave
  std::uint32_t left_ = 0;
  std::uint32_t running_ = 0;
  std::uint64_t values_ = 0;
};

// Makes faults happen, one after the other, each for a while.
class SwarmNemesis {
 public:
  SwarmNemesis(Simulation& world, SwarmWorkload& workload, const SwarmParameters& parameters);
  void start();
  // No fault acts any more, and every node is up.
  void stop_and_heal();
  const std::map<std::string, std::uint64_t>& counters() const { return counters_; }
  const Violations& violations() const { return violations_; }

 private:
  void step();
  void fire(SwarmFault kind);
  void fire_on_node(SwarmFault kind, NodeIndex node);
  void fire_on_links(SwarmFault kind);
  void fire_on_engine(SwarmFault kind, NodeIndex node);
  void fire_on_disk_loser(SwarmFault kind);
  void damage_row(NodeIndex node);
  void restart_later(NodeIndex node);
  void restart(NodeIndex node);
  void end_clone();
  Nanoseconds draw_length();
  void after(Nanoseconds delay, std::function<void()> action);

  Simulation& world_;
  SwarmWorkload& workload_;
  const SwarmParameters& parameters_;
  SeededRandom random_;
  bool active_ = true;
  std::optional<std::size_t> backup_;
  std::optional<NodeIndex> clone_;
  std::map<std::string, std::uint64_t> counters_;
  Violations violations_;
};

// Sees every record that travels, for G2.
class SwarmObserver {
 public:
  explicit SwarmObserver(RecordKind kind) : kind_(kind) {}
  void see(const Envelope& envelope, Instant now);
  DotWitness& witness() { return witness_; }

 private:
  void see_message(const Message& message);
  void see_record(ByteView key, ByteView bytes, std::string_view where);

  RecordKind kind_;
  DotWitness witness_;
  Assembler assembler_;
  std::map<std::uint64_t, Bytes> read_keys_;  // by operation: a read's reply does not name its key
};

}  // namespace ringwright
