#include "replication/simulation/simulated_process.h"

#include <algorithm>
#include <utility>

#include "engine/base/hash.h"
#include "engine/base/seeded_bug.h"
#include "engine/decorator/faulty_engine.h"
#include "engine/memory/memory_engine.h"

namespace ringwright {
namespace {

// An instant in 2023, so that stamps look like stamps.
constexpr std::uint64_t wall_us_at_zero = 1'700'000'000'000'000;

std::uint64_t hash_of(const EngineCompletion& completion) {
  std::uint64_t hash =
      completion.ticket * 31 + static_cast<std::uint64_t>(completion.status.code());
  for (const auto& row : completion.rows) {
    hash *= 0x9e3779b97f4a7c15;
    if (!row)
      hash ^= static_cast<std::uint64_t>(row.error().code());
    else if (*row)
      hash ^= hash64(**row, hash);
  }
  for (const auto& [key, row] : completion.scanned) hash = hash64(row, hash64(key, hash));
  return hash ^ completion.sequence;
}

}  // namespace

SimulatedProcess::SimulatedProcess(EventQueue& queue, Trace& trace, SimulatedNetwork& network,
                                   ProcessSettings settings, std::shared_ptr<Disk> disk,
                                   std::shared_ptr<FaultPlan> faults, SeededRandom random)
    : queue_(queue),
      trace_(trace),
      network_(network),
      settings_(std::move(settings)),
      disk_(std::move(disk)),
      faults_(std::move(faults)),
      random_(random) {}

Status SimulatedProcess::start() {
  RW_TRY(open_engines());
  const auto stored_bound = read_clock_bound();
  if (!stored_bound) return stored_bound.error();
  alive_ = true;
  make_machines(*stored_bound);
  network_.attach(
      settings_.endpoint,
      [weak = weak_from_this()](Envelope envelope) {
        if (const auto self = weak.lock()) self->receive(std::move(envelope));
      },
      [weak = weak_from_this()](Endpoint endpoint) {
        if (const auto self = weak.lock()) self->unreachable(endpoint);
      });
  trace_.add(queue_.now(), TraceKind::process_start, settings_.endpoint, *stored_bound);
  for (MachineIndex machine = 0; machine <= shards_.size(); ++machine) {
    run_tick(machine, ticks_[machine] = queue_.now());
  }
  return ok_status();
}

Status SimulatedProcess::open_engines() {
  EngineContext context;
  context.disk = disk_;
  context.durability = settings_.keyspace->durability;
  context.path = "system";
  context.policy = std::make_shared<RowPolicy>(settings_.keyspace->kind());
  system_ = std::make_unique<MemoryEngine>();
  RW_TRY(system_->open(context));
  context.path = "data/" + settings_.keyspace->name;
  context.options = settings_.keyspace->engine_options;
  engine_ = std::make_unique<FaultyEngine>(std::make_unique<MemoryEngine>(), faults_);
  return engine_->open(context);
}

Result<Timestamp> SimulatedProcess::read_clock_bound() {
  const Bytes key = Node::clock_bound_key();
  const auto rows = system_->multi_get({&key, 1}, MayBlock::yes);
  if (!rows.front()) return rows.front().error();
  if (!*rows.front()) return Timestamp{0};
  return Node::decode_clock_bound(**rows.front());
}

void SimulatedProcess::make_machines(Timestamp stored_bound) {
  auto membership =
      std::make_unique<FixedMembership>(settings_.ring, settings_.member, queue_.now(),
                                        settings_.ping_interval, settings_.suspect_after);
  node_ = std::make_unique<Node>(NodeSettings{settings_.endpoint, settings_.endpoints},
                                 std::move(membership), stored_bound);
  const auto state = node_->take_output().published;
  ShardSettings shard;
  shard.node = settings_.id;
  shard.member = settings_.member;
  shard.shards = settings_.shards;
  shard.started_us = moment().wall_us;
  shard.clock_floor = stored_bound;
  shard.endpoint = settings_.endpoint;
  shard.endpoints = settings_.endpoints;
  shard.keyspaces = {settings_.keyspace};
  shard.capabilities = {engine_->capabilities()};
  // As of an engine where operands gather, so that what folds them is simulated too.
  shard.capabilities.front().folds_at_once = false;
  shard.frame_bytes_max = settings_.frame_bytes_max;
  shard.operations_max = settings_.operations_max;
  for (shard.shard = 0; shard.shard < settings_.shards; ++shard.shard) {
    shard.start = random_.next();
    if (seeded_bug(SeededBug::dot_reuse_after_amnesia))
      shard.start = settings_.id.low + shard.shard;
    shards_.push_back(std::make_unique<Shard>(shard, state));
  }
  ticks_.assign(shards_.size() + 1, never);
}

void SimulatedProcess::end(bool close_engines) {
  if (!alive_) return;
  trace_.add(queue_.now(), TraceKind::process_end, settings_.endpoint, close_engines);
  alive_ = false;
  network_.detach(settings_.endpoint);
  for (auto& [number, pending] : pending_) {
    const bool changes =
        pending.work.kind == EngineWork::Kind::write || pending.work.kind == EngineWork::Kind::sync;
    if (changes && random_.chance(0.5))
      perform(engine_of(pending.work), pending.work, MayBlock::yes);
  }
  pending_.clear();
  if (close_engines) {
    engine_->close().ignore("the process ends all the same");
    system_->close().ignore("the process ends all the same");
  }
}

Moment SimulatedProcess::moment() const {
  const std::int64_t now_us = queue_.now() / 1000;
  const std::int64_t drifted = now_us + now_us / 1000 * settings_.clock_drift_ppm / 1000;
  return {queue_.now(),
          wall_us_at_zero + static_cast<std::uint64_t>(drifted + settings_.clock_skew_us)};
}

void SimulatedProcess::receive(Envelope envelope) {
  if (!alive_) return;
  const bool beat = std::holds_alternative<Ping>(envelope.message) ||
                    std::holds_alternative<Pong>(envelope.message);
  if (beat) {
    node_->receive(envelope, moment());
    pump_node();
    return;
  }
  if (envelope.source != settings_.endpoint) {
    node_->heard_from(envelope.source, moment());
    pump_node();
  }
  const std::uint32_t shard = shard_of(envelope.message, settings_.shards);
  if (shard >= shards_.size()) return;  // a reply to a run with more shards
  shards_[shard]->receive(std::move(envelope), moment());
  pump_shard(shard + 1);
}

void SimulatedProcess::unreachable(Endpoint endpoint) {
  if (!alive_) return;
  node_->unreachable(endpoint, moment());
  pump_node();
  for (MachineIndex shard = 1; shard <= shards_.size(); ++shard) {
    shards_[shard - 1]->unreachable(endpoint, moment());
    pump_shard(shard);
  }
}

void SimulatedProcess::pump(MachineIndex machine) {
  if (machine == 0)
    pump_node();
  else
    pump_shard(machine);
}

void SimulatedProcess::pump_node() {
  for (bool more = true; more;) {
    more = false;
    NodeOutput output = node_->take_output();
    for (Envelope& envelope : output.messages) network_.send(std::move(envelope));
    for (EngineWork& work : output.work) {
      EngineCompletion completion;
      if (perform_inline(0, work, completion)) {
        node_->complete(completion, moment());
        more = true;
      } else {
        dispatch(0, std::move(work));
      }
    }
    if (!output.published) continue;
    for (MachineIndex shard = 1; shard <= shards_.size(); ++shard) {
      shards_[shard - 1]->update(output.published);
      pump_shard(shard);
    }
  }
  schedule_tick(0);
}

void SimulatedProcess::pump_shard(MachineIndex machine) {
  Shard& shard = *shards_[machine - 1];
  for (bool more = true; more;) {
    more = false;
    ShardOutput output;
    shard.take_output(output);
    for (Envelope& envelope : output.messages) network_.send(std::move(envelope));
    for (EngineWork& work : output.work) {
      EngineCompletion completion;
      if (perform_inline(machine, work, completion)) {
        shard.complete(std::move(completion), moment());
        more = true;
      } else {
        dispatch(machine, std::move(work));
      }
    }
  }
  schedule_tick(machine);
}

void SimulatedProcess::schedule_tick(MachineIndex machine) {
  const Instant wanted =
      machine == 0 ? node_->next_deadline() : shards_[machine - 1]->next_deadline();
  if (wanted >= ticks_[machine]) return;
  const Instant planned = std::max(wanted, queue_.now());
  ticks_[machine] = planned;
  queue_.at(planned, [weak = weak_from_this(), machine, planned] {
    if (const auto self = weak.lock()) self->run_tick(machine, planned);
  });
}

void SimulatedProcess::run_tick(MachineIndex machine, Instant planned) {
  if (!alive_ || ticks_[machine] != planned) return;
  ticks_[machine] = never;
  trace_.add(queue_.now(), TraceKind::tick, settings_.endpoint, machine);
  if (machine == 0)
    node_->tick(moment());
  else
    shards_[machine - 1]->tick(moment());
  pump(machine);
}

// Production tries each call without blocking before it hands it to an executor.
bool SimulatedProcess::perform_inline(MachineIndex machine, const EngineWork& work,
                                      EngineCompletion& completion) {
  if (!settings_.inline_engine) return false;
  const bool is_write = work.kind == EngineWork::Kind::write;
  if (is_write && lane_of(machine, work.engine).busy) return false;
  completion = perform(engine_of(work), work, MayBlock::no);
  if (would_block(completion)) return false;
  trace_.add(queue_.now(), TraceKind::engine_effect, settings_.endpoint, hash_of(completion));
  watch(work, completion);
  return true;
}

void SimulatedProcess::dispatch(MachineIndex machine, EngineWork work) {
  if (work.kind != EngineWork::Kind::write) return begin(machine, std::move(work));
  Lane& lane = lane_of(machine, work.engine);
  lane.writes.push_back(std::move(work));
  if (lane.busy) return;
  lane.busy = true;
  EngineWork first = std::move(lane.writes.front());
  lane.writes.pop_front();
  begin(machine, std::move(first));
}

void SimulatedProcess::begin(MachineIndex machine, EngineWork work) {
  const Nanoseconds duration = draw_duration(work.kind);
  const Nanoseconds effect = random_.between(0, duration);
  const std::uint64_t number = next_pending_++;
  pending_.emplace(number, Pending{machine, std::move(work)});
  queue_.after(effect, [weak = weak_from_this(), number, rest = duration - effect] {
    if (const auto self = weak.lock()) self->take_effect(number, rest);
  });
}

void SimulatedProcess::take_effect(std::uint64_t number, Nanoseconds rest) {
  const auto at = pending_.find(number);
  if (!alive_ || at == pending_.end()) return;
  const Pending pending = std::move(at->second);
  pending_.erase(at);
  EngineCompletion completion = perform(engine_of(pending.work), pending.work, MayBlock::yes);
  watch(pending.work, completion);
  trace_.add(queue_.now(), TraceKind::engine_effect, settings_.endpoint, hash_of(completion));
  queue_.after(rest, [weak = weak_from_this(), machine = pending.machine,
                      was_write = pending.work.kind == EngineWork::Kind::write,
                      engine = pending.work.engine, done = std::move(completion)]() mutable {
    if (const auto self = weak.lock()) self->finish(machine, was_write, engine, std::move(done));
  });
}

void SimulatedProcess::finish(MachineIndex machine, bool was_write, EngineIndex engine,
                              EngineCompletion completion) {
  if (!alive_) return;
  if (was_write) {
    Lane& lane = lane_of(machine, engine);
    if (lane.writes.empty()) {
      lane.busy = false;
    } else {
      EngineWork next = std::move(lane.writes.front());
      lane.writes.pop_front();
      begin(machine, std::move(next));
    }
  }
  trace_.add(queue_.now(), TraceKind::engine_completion, settings_.endpoint, completion.ticket);
  complete(machine, std::move(completion));
  pump(machine);
}

void SimulatedProcess::complete(MachineIndex machine, EngineCompletion completion) {
  if (machine == 0)
    node_->complete(completion, moment());
  else
    shards_[machine - 1]->complete(std::move(completion), moment());
}

void SimulatedProcess::watch(const EngineWork& work, const EngineCompletion& completion) {
  const Code code = completion.status.code();
  if (work.kind == EngineWork::Kind::sync && !completion.status.is_ok()) engine_has_failed_ = true;
  if (work.kind == EngineWork::Kind::write && (code == Code::io_error || code == Code::in_doubt))
    engine_has_failed_ = true;
}

Nanoseconds SimulatedProcess::draw_duration(EngineWork::Kind kind) {
  const EngineTimes& times = settings_.engine_times;
  const Nanoseconds longest = kind == EngineWork::Kind::sync    ? times.sync_max
                              : kind == EngineWork::Kind::write ? times.write_max
                                                                : times.read_max;
  return random_.between(0, random_.chance(0.01) ? 10 * longest : longest);
}

StorageEngine& SimulatedProcess::engine_of(const EngineWork& work) {
  return work.engine == system_engine ? *system_ : *engine_;
}

SimulatedProcess::Lane& SimulatedProcess::lane_of(MachineIndex machine, EngineIndex engine) {
  return lanes_[{machine, engine}];
}

bool SimulatedProcess::may_hold_fallback_rows() const {
  return std::any_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->may_hold_fallback_rows(); });
}

void SimulatedProcess::add_counters(std::map<std::string, std::uint64_t>& sums) const {
  for (const auto& shard : shards_)
    for (const auto& [name, value] : shard->counters().values()) sums[name] += value;
}

}  // namespace ringwright
