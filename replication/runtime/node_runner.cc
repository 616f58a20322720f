#include "replication/runtime/node_runner.h"

#include <algorithm>
#include <utility>

#include "engine/base/limits.h"
#include "engine/base/nearest.h"
#include "engine/decorator/call_holder.h"
#include "engine/engine_stack.h"
#include "replication/version/row.h"

namespace ringwright {
namespace {

Durability system_durability(const std::vector<std::shared_ptr<const Keyspace>>& keyspaces) {
  // The clock's lease must survive whatever the strongest keyspace survives, a death at least.
  Durability strongest = Durability::os;
  for (const auto& keyspace : keyspaces) strongest = std::max(strongest, keyspace->durability);
  return strongest;
}

// Performs all that the node machine wants, blocking, and keeps its messages for the loop.
Status perform_all(Node& node, StorageEngine& system, Moment moment,
                   std::shared_ptr<const NodeState>& state) {
  for (std::size_t round = 0; round < limits::lease_rounds_max; ++round) {
    NodeOutput output = node.take_output();
    if (output.published) state = std::move(output.published);
    if (output.work.empty()) return ok_status();
    for (const EngineWork& work : output.work) {
      const EngineCompletion completion = perform(system, work, MayBlock::yes);
      RW_TRY(completion.status);
      node.complete(completion, moment);
    }
  }
  return ok_status();
}

}  // namespace

NodeRunner::NodeRunner(NodeRunnerSettings settings, DataDirectory directory,
                       std::shared_ptr<Clock> clock)
    : settings_(std::move(settings)), directory_(std::move(directory)), clock_(std::move(clock)) {}

NodeRunner::~NodeRunner() { kill(); }

Result<std::unique_ptr<NodeRunner>> NodeRunner::open(Registry& registry,
                                                     NodeRunnerSettings settings,
                                                     DataDirectory directory,
                                                     std::shared_ptr<Clock> clock) {
  std::unique_ptr<NodeRunner> runner(
      new NodeRunner(std::move(settings), std::move(directory), std::move(clock)));
  for (const auto& keyspace : runner->settings_.keyspaces)
    RW_TRY(runner->open_engine(registry, *keyspace, DataDirectory::engine_path(*keyspace)));
  RW_TRY(runner->open_system_engine(registry));
  return runner;
}

Status NodeRunner::open_engine(Registry& registry, const Keyspace& keyspace,
                               const std::string& path) {
  EngineContext context;
  context.path = path;
  context.options = keyspace.engine_options;
  context.durability = keyspace.durability;
  context.policy = std::make_shared<RowPolicy>(keyspace.kind());
  const Status opened = open_metered(registry, keyspace.name, keyspace.engine, std::move(context));
  if (opened.is_ok()) return opened;
  return {opened.code(), settings_.name + ", keyspace '" + keyspace.name + "', engine '" +
                             keyspace.engine + "': " + opened.message()};
}

Status NodeRunner::open_system_engine(Registry& registry) {
  EngineContext context;
  context.path = DataDirectory::system_path();
  context.durability = system_durability(settings_.keyspaces);
  context.policy = std::make_shared<RowPolicy>(RecordKind::siblings);
  const Status opened = open_metered(registry, "system", "memory", std::move(context));
  if (opened.is_ok()) return opened;
  return {opened.code(), settings_.name + ", node-wide rows: " + opened.message()};
}

Status NodeRunner::open_metered(Registry& registry, const std::string& keyspace,
                                const std::string& engine, EngineContext context) {
  auto made = make_engine_stack(registry, engine);
  if (!made) return made.error();
  context.disk = directory_.disk();
  auto metered = std::make_unique<MeteredEngine>(std::move(*made), clock_);
  RW_TRY(metered->open(context));
  engines_.push_back({keyspace, context.durability, std::move(metered)});
  return ok_status();
}

Result<Timestamp> NodeRunner::read_clock_bound() {
  const std::vector<Bytes> keys = {Node::clock_bound_key()};
  const auto rows = engines_.back().engine->multi_get(keys, MayBlock::yes);
  if (!rows.at(0)) return rows[0].error();
  const std::optional<Bytes>& stored = *rows[0];
  return stored ? Node::decode_clock_bound(*stored) : Result<Timestamp>(Timestamp{0});
}

Result<std::unique_ptr<Node>> NodeRunner::make_node(const NodePlace& place, Timestamp stored_bound,
                                                    std::shared_ptr<const NodeState>& state) {
  NodeSettings settings;
  settings.endpoint = place.endpoints.at(place.member);
  settings.endpoints = place.endpoints;
  const Moment moment{clock_->now(), clock_->wall_us()};
  auto membership = std::make_unique<FixedMembership>(
      place.ring, place.member, moment.now, settings_.ping_interval, settings_.suspect_after);
  auto node = std::make_unique<Node>(std::move(settings), std::move(membership), stored_bound);
  // The first tick asks for the lease; its pings are lost here, and the next ones follow soon.
  node->tick(moment);
  RW_TRY(perform_all(*node, *engines_.back().engine, moment, state));
  if (!state || state->clock_bound <= stored_bound)
    return Status{Code::unavailable, settings_.name + ": the clock's lease could not be stored"};
  return node;
}

ShardLoop::Parts NodeRunner::loop_parts(NodePlace& place, std::uint32_t shard,
                                        Timestamp stored_bound) {
  SystemRandom random;
  ShardLoop::Parts parts;
  parts.name = settings_.name + "/" + std::to_string(shard);
  parts.settings.node = directory_.node();
  parts.settings.member = place.member;
  parts.settings.shard = shard;
  parts.settings.shards = settings_.shards;
  parts.settings.start = random.next();
  parts.settings.started_us = clock_->wall_us();
  parts.settings.clock_floor = stored_bound;
  parts.settings.endpoint = place.endpoints.at(place.member);
  parts.settings.endpoints = place.endpoints;
  parts.settings.keyspaces = settings_.keyspaces;
  for (std::size_t i = 0; i + 1 < engines_.size(); ++i) {
    parts.settings.capabilities.push_back(engines_[i].engine->capabilities());
    parts.engines.push_back(engines_[i].engine.get());
  }
  parts.system = engines_.back().engine.get();
  parts.executor = executor_.get();
  parts.clock = clock_;
  parts.transport = std::move(place.transports.at(shard));
  // `loops_` is complete before the first loop starts and stays until all have ended.
  parts.publish = [this](const std::shared_ptr<const NodeState>& state) {
    for (std::size_t i = 1; i < loops_.size(); ++i) loops_[i]->update(state);
    if (settings_.watch_view) settings_.watch_view(state->view);
  };
  parts.report_unreachable = [this](Endpoint endpoint) { loops_[0]->hear_unreachable(endpoint); };
  return parts;
}

Status NodeRunner::start(NodePlace place) {
  const std::lock_guard lock(mutex_);
  const auto stored_bound = read_clock_bound();
  if (!stored_bound) return stored_bound.error();
  std::shared_ptr<const NodeState> state;
  auto node = make_node(place, *stored_bound, state);
  if (!node) return node.error();
  ring_ = place.ring;
  executor_ =
      std::make_unique<ThreadPoolExecutor>(settings_.name + "/io", settings_.executor_threads);
  for (std::uint32_t shard = 0; shard < settings_.shards; ++shard) {
    ShardLoop::Parts parts = loop_parts(place, shard, *stored_bound);
    parts.state = state;
    if (shard == 0) parts.node = std::move(*node);
    loops_.push_back(std::make_unique<ShardLoop>(std::move(parts)));
  }
  for (const auto& loop : loops_) loop->start();
  condition_ = NodeCondition::up;
  return ok_status();
}

// The loops and the executor wait for the calls that are under way, and so would these for ever.
void NodeRunner::let_held_calls_go() {
  for (const Engine& engine : engines_) let_all_go(*engine.engine);
}

void NodeRunner::end_loops(ShardLoop::End end) {
  for (const auto& loop : loops_) loop->request_end(end);
  for (const auto& loop : loops_) loop->join();
  // Only then: the last work of the executor hands back to the loops.
  if (executor_) executor_->stop();
  loops_.clear();
  executor_.reset();
}

Status NodeRunner::close_engines(bool flush) {
  Status first;
  for (Engine& engine : engines_) {
    Status status = flush ? engine.engine->flush() : ok_status();
    const Status closed = engine.engine->close();
    if (status.is_ok()) status = closed;
    if (first.is_ok() && !status.is_ok())
      first = {status.code(),
               settings_.name + ", keyspace '" + engine.keyspace + "': " + status.message()};
  }
  engines_.clear();
  return first;
}

Status NodeRunner::stop() {
  const std::lock_guard lock(mutex_);
  let_held_calls_go();
  end_loops(ShardLoop::End::drain);
  condition_ = NodeCondition::stopped;
  return close_engines(true);
}

void NodeRunner::kill() {
  const std::lock_guard lock(mutex_);
  let_held_calls_go();
  end_loops(ShardLoop::End::at_once);
  condition_ = NodeCondition::killed;
  close_engines(false).ignore("a process that dies tells nobody either");
}

void NodeRunner::set_paused(bool paused) {
  const std::lock_guard lock(mutex_);
  if (loops_.empty()) return;
  for (const auto& loop : loops_) loop->set_paused(paused);
  condition_ = paused ? NodeCondition::paused : NodeCondition::up;
}

NodeStatus NodeRunner::status() {
  const std::lock_guard lock(mutex_);
  NodeStatus status;
  status.name = settings_.name;
  status.id = directory_.node();
  status.condition = condition_;
  status.shards = settings_.shards;
  status.directory = directory_.path();
  if (!loops_.empty()) {
    for (const auto& keyspace : settings_.keyspaces)
      status.requests.push_back({keyspace->name, {}});
    status.requests.emplace_back();
  }
  for (const auto& loop : loops_) {
    const ShardLoop::Snapshot snapshot = loop->snapshot();
    for (const auto& [name, count] : snapshot.counters) status.counters[name] += count;
    status.may_hold_fallback_rows |= snapshot.may_hold_fallback_rows;
    for (std::size_t i = 0; i < snapshot.requests.size(); ++i)
      status.requests[i].counts.add(snapshot.requests[i]);
    for (std::size_t i = 0; i < snapshot.replicas.size(); ++i)
      if (const std::string& name = ring_->members()[i].name; name != settings_.name)
        status.replicas[name].add(snapshot.replicas[i]);
    if (&loop != &loops_.front() || !snapshot.view) continue;
    for (std::size_t i = 0; i < snapshot.view->states.size(); ++i)
      status.members[ring_->members()[i].name] = snapshot.view->states[i];
  }
  for (const Engine& engine : engines_)
    status.engines.push_back({engine.keyspace, describe(engine.asked_for()), engine.durability,
                              engine.engine->stats(), engine.engine->pressure(),
                              engine.engine->counts()});
  return status;
}

std::vector<EngineFaults> NodeRunner::engine_faults() {
  const std::lock_guard lock(mutex_);
  std::vector<EngineFaults> all;
  for (const Engine& engine : engines_)
    if (auto known = engine_faults_of(engine.asked_for(), engine.keyspace))
      all.push_back(std::move(*known));
  return all;
}

Status NodeRunner::change_engine(const EngineFaults& change) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& keyspace : settings_.keyspaces) names.push_back(keyspace->name);
  const auto at = std::find(names.begin(), names.end(), change.keyspace);
  if (at == names.end())
    return {Code::invalid, "there is no keyspace '" + change.keyspace + "'; did you mean '" +
                               nearest_name(change.keyspace, names) + "'?"};
  const auto index = static_cast<std::size_t>(at - names.begin());
  if (index >= engines_.size()) return {Code::closed, settings_.name + " does not run"};
  return change_engine_faults(engines_[index].asked_for(), change);
}

}  // namespace ringwright
