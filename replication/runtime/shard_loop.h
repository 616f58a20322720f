#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "replication/node/node.h"
#include "replication/runtime/engine_desk.h"
#include "replication/shard/shard.h"
#include "replication/transport/transport.h"

namespace ringwright {

// The thread of one shard, and on shard 0 of the node machine as well: it polls the transport,
// feeds the machines, performs their engine work until nothing is left to do, and then sends all
// that the wake-up made in one call.
//
// Threads: the machines, the transport and the desks belong to the loop's thread from `start` until
// `join` returns; the public methods may be called from any thread.
class ShardLoop {
 public:
  struct Parts {
    std::string name;  // of the thread
    ShardSettings settings;
    std::shared_ptr<const NodeState> state;
    std::unique_ptr<Node> node;  // on shard 0
    std::unique_ptr<Transport> transport;
    std::vector<StorageEngine*> engines;  // by index
    StorageEngine* system = nullptr;
    Executor* executor = nullptr;  // its last work ends before this object does
    std::shared_ptr<Clock> clock;
    // On shard 0: hands a new state to the other shards.
    std::function<void(std::shared_ptr<const NodeState>)> publish;
    // On the others: tells shard 0.
    std::function<void(Endpoint)> report_unreachable;
  };
  enum class End { drain, at_once };

  explicit ShardLoop(Parts parts);
  ~ShardLoop();

  void start();
  // drain: finishes what is at the engines, within a bound, then closes the transport. at_once:
  // drops everything.
  void request_end(End end);
  void join();
  void set_paused(bool paused);

  void update(std::shared_ptr<const NodeState> state);
  void hear_unreachable(Endpoint endpoint);

  struct Snapshot {
    std::map<std::string, std::uint64_t, std::less<>> counters;
    std::vector<RequestCounts> requests;  // by keyspace; the last: those that named none of them
    std::vector<ReplicaCounts> replicas;  // by member
    std::shared_ptr<const View> view;
    bool may_hold_fallback_rows = true;
  };
  // As of now; of a loop that does not answer within limits::status_wait, the last one taken.
  Snapshot snapshot();

 private:
  // What other threads have left for the loop.
  struct Inputs {
    std::vector<EngineDesk::Returned> returned;       // for the shard
    std::vector<EngineDesk::Returned> node_returned;  // for the node
    std::vector<Endpoint> unreachable;
    std::shared_ptr<const NodeState> state;
  };

  void run();
  bool wait_while_paused();
  bool should_end();
  Instant next_wake() const;
  Moment read_clock() const { return {clock_->now(), clock_->wall_us()}; }
  const Moment& moment();
  void receive(Envelope&& envelope);
  void note_unreachable(Endpoint endpoint);
  void note_heard(Endpoint endpoint);
  void take_inputs();
  void leave_input(const std::function<void(Inputs&)>& change);
  void tick();
  void settle();
  bool settle_shard();
  bool settle_node();
  void count_answered();
  void sort_out(std::vector<Envelope>& messages);
  void set_state(std::shared_ptr<const NodeState> state);
  void answer_snapshot();

  const std::string name_;
  const Endpoint endpoint_;
  const std::uint32_t shard_index_;
  const std::uint32_t shards_;
  const std::vector<Endpoint> members_;
  Shard shard_;
  const std::unique_ptr<Node> node_;
  const std::unique_ptr<Transport> transport_;
  const std::shared_ptr<Clock> clock_;
  const std::function<void(std::shared_ptr<const NodeState>)> publish_;
  const std::function<void(Endpoint)> report_unreachable_;
  EngineDesk desk_;
  EngineDesk node_desk_;

  // Of one wake-up.
  Moment moment_;
  bool moment_is_read_ = false;
  std::vector<Endpoint> heard_;
  std::vector<EngineCompletion> done_;
  std::vector<EngineCompletion> node_done_;
  ShardOutput output_;
  std::vector<Envelope> own_;       // to this shard
  std::vector<Envelope> outgoing_;  // to everybody else
  std::uint64_t wake_ups_ = 0;
  std::uint64_t sent_ = 0;
  std::vector<RequestCounts> requests_;  // by keyspace, as in a snapshot
  Instant drain_until_ = never;
  std::shared_ptr<const View> view_;

  std::mutex inputs_mutex_;  // guards inputs_
  Inputs inputs_;
  std::atomic<bool> has_inputs_{false};

  std::mutex control_mutex_;  // guards paused_, ended_, snapshot_, snapshot_number_
  std::condition_variable control_changed_;
  bool paused_ = false;
  bool ended_ = false;
  Snapshot snapshot_;
  std::uint64_t snapshot_number_ = 0;
  std::atomic<bool> control_{false};  // something below or paused_ is to be looked at
  std::atomic<bool> ending_{false};
  std::atomic<bool> at_once_{false};
  std::atomic<bool> snapshot_wanted_{false};

  std::thread thread_;
};

}  // namespace ringwright
