#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "engine/decorator/fault_plan.h"
#include "engine/storage_engine.h"
#include "replication/node/node.h"
#include "replication/shard/shard.h"
#include "replication/simulation/event_queue.h"
#include "replication/simulation/simulated_disk.h"
#include "replication/simulation/simulated_network.h"
#include "replication/simulation/trace.h"
#include "replication/simulation/world.h"

namespace ringwright {

// What a process is given at its start, by value.
struct ProcessSettings {
  NodeId id;
  std::uint32_t member = 0;
  Endpoint endpoint = 0;
  std::vector<Endpoint> endpoints;  // by member index
  std::uint32_t shards = 1;
  std::shared_ptr<const Ring> ring;
  std::shared_ptr<const Keyspace> keyspace;
  std::size_t frame_bytes_max = limits::frame_bytes_max;
  std::size_t operations_max = limits::operations_max;
  EngineTimes engine_times;
  bool inline_engine = false;
  Nanoseconds ping_interval = limits::ping_interval;
  Nanoseconds suspect_after = limits::suspect_after;
  std::int64_t clock_skew_us = 0;
  std::int64_t clock_drift_ppm = 0;
};

// One run of one node's process: the machines and their engines, from start to death. It does what
// the production driver does, in virtual time.
//
// 1. A machine's output is taken after each input, and its next tick is in the queue.
// 2. Writes of one machine and engine run in the order asked, one at a time; all else is free. Each
//    takes effect at a drawn instant within its duration and is reported at the end.
// 3. After `end` nothing of it acts on the world any more. What was in flight took effect or not,
// as
//    drawn; of several writes in order it is a prefix.
class SimulatedProcess : public std::enable_shared_from_this<SimulatedProcess> {
 public:
  SimulatedProcess(EventQueue& queue, Trace& trace, SimulatedNetwork& network,
                   ProcessSettings settings, std::shared_ptr<Disk> disk,
                   std::shared_ptr<FaultPlan> faults, SeededRandom random);

  // Opens the engines, makes the machines and joins the network.
  Status start();
  // Leaves the network. Its disk's mount must be ended right after this returns; the object may
  // live on until its last event has found it dead.
  void end(bool close_engines);

  StorageEngine& engine() { return *engine_; }
  bool may_hold_fallback_rows() const;
  bool engine_has_failed() const { return engine_has_failed_; }
  void add_counters(std::map<std::string, std::uint64_t>& sums) const;

 private:
  // 0 is the node's machine, 1 to `shards` are the shards'.
  using MachineIndex = std::uint32_t;
  struct Lane {
    std::deque<EngineWork> writes;  // the first is at the engine
    bool busy = false;
  };
  // Work that has begun and not taken effect.
  struct Pending {
    MachineIndex machine;
    EngineWork work;
  };

  Status open_engines();
  Result<Timestamp> read_clock_bound();
  void make_machines(Timestamp stored_bound);

  Moment moment() const;
  void receive(Envelope envelope);
  void unreachable(Endpoint endpoint);
  void pump(MachineIndex machine);
  void pump_node();
  void pump_shard(MachineIndex machine);
  void schedule_tick(MachineIndex machine);
  void run_tick(MachineIndex machine, Instant planned);

  bool perform_inline(MachineIndex machine, const EngineWork& work, EngineCompletion& completion);
  void dispatch(MachineIndex machine, EngineWork work);
  void begin(MachineIndex machine, EngineWork work);
  void take_effect(std::uint64_t pending, Nanoseconds rest);
  void finish(MachineIndex machine, bool was_write, EngineIndex engine,
              EngineCompletion completion);
  void complete(MachineIndex machine, EngineCompletion completion);
  void watch(const EngineWork& work, const EngineCompletion& completion);
  Nanoseconds draw_duration(EngineWork::Kind kind);
  StorageEngine& engine_of(const EngineWork& work);
  Lane& lane_of(MachineIndex machine, EngineIndex engine);

  EventQueue& queue_;
  Trace& trace_;
  SimulatedNetwork& network_;
  const ProcessSettings settings_;
  const std::shared_ptr<Disk> disk_;
  const std::shared_ptr<FaultPlan> faults_;
  SeededRandom random_;

  bool alive_ = false;
  bool engine_has_failed_ = false;
  std::unique_ptr<StorageEngine> engine_;
  std::unique_ptr<StorageEngine> system_;
  std::unique_ptr<Node> node_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<Instant> ticks_;  // by machine: the instant of its tick in the queue
  std::map<std::pair<MachineIndex, EngineIndex>, Lane> lanes_;
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t next_pending_ = 1;
};

}  // namespace ringwright
