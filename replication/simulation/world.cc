#include "replication/simulation/world.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "engine/registry.h"
#include "replication/resolver/conflict_resolver.h"
#include "replication/ring/preference_list.h"
#include "replication/simulation/simulated_clients.h"
#include "replication/simulation/simulated_disk.h"
#include "replication/simulation/simulated_process.h"

namespace ringwright {
namespace {

constexpr Endpoint first_endpoint = 1;

std::shared_ptr<const Keyspace> make_keyspace(const SimulationOptions& options) {
  Registry resolvers;
  register_builtin_resolvers(resolvers);
  auto resolver = resolvers.create<ConflictResolver>(options.resolver);
  RW_CHECK(resolver.has_value());
  Keyspace keyspace;
  keyspace.engine = "faulty(memory)";
  keyspace.engine_options = {{"native_merge", options.native_merge ? "true" : "false"}};
  keyspace.resolver_name = options.resolver;
  keyspace.resolver = *resolver;
  keyspace.n = options.n;
  keyspace.r = options.r;
  keyspace.w = options.w;
  keyspace.sloppy = options.sloppy;
  keyspace.fan_out = options.fan_out;
  keyspace.durability = options.durability;
  keyspace.value_bytes_max = options.value_bytes_max;
  keyspace.record_bytes_max = options.record_bytes_max;
  keyspace.siblings_max = options.siblings_max;
  return std::make_shared<const Keyspace>(std::move(keyspace));
}

std::shared_ptr<const Ring> make_ring(const SimulationOptions& options) {
  std::vector<Member> members;
  SeededRandom random(options.seed, "identities");
  for (std::uint32_t node = 0; node < options.nodes; ++node) {
    Member member;
    member.id = {random.next(), random.next()};
    member.name = "node" + std::to_string(node + 1);
    members.push_back(std::move(member));
  }
  auto ring = Ring::make(1, std::move(members), options.partitions);
  RW_CHECK(ring.has_value());
  return std::make_shared<const Ring>(std::move(*ring));
}

}  // namespace

class Simulation::World {
 public:
  struct Host {
    std::uint32_t member = 0;
    Endpoint endpoint = 0;
    std::unique_ptr<SimulatedDisk> disk;
    std::shared_ptr<FaultPlan> faults;
    std::shared_ptr<SimulatedProcess> process;  // null while the node is down
    std::int64_t clock_skew_us = 0;
    std::int64_t clock_drift_ppm = 0;
    std::uint64_t starts = 0;
  };

  explicit World(SimulationOptions given)
      : options(std::move(given)),
        network(queue, trace, options.network, SeededRandom(options.seed, "network")),
        keyspace(make_keyspace(options)),
        ring(make_ring(options)),
        clients(queue, trace, network, options, keyspace->name,
                [this](NodeIndex node) { return host(node).endpoint; }) {
    for (NodeIndex node = 0; node < options.nodes; ++node) {
      add_host(node, first_endpoint + node);
      endpoints.push_back(first_endpoint + node);
    }
    for (NodeIndex node = 0; node < options.nodes; ++node) RW_CHECK(start(node).is_ok());
  }

  Host& host(NodeIndex node) {
    RW_CHECK(node < hosts.size());
    return hosts[node];
  }

  NodeIndex add_host(std::uint32_t member, Endpoint endpoint) {
    const NodeIndex node = static_cast<NodeIndex>(hosts.size());
    const std::string name = " of node " + std::to_string(node);
    Host& added = hosts.emplace_back();
    added.member = member;
    added.endpoint = endpoint;
    added.disk = std::make_unique<SimulatedDisk>(SeededRandom(options.seed, "disk" + name),
                                                 options.failed_sync_drops_pages);
    added.faults = std::make_shared<FaultPlan>(SeededRandom(options.seed, "faults" + name).next());
    SeededRandom clock(options.seed, "clock" + name);
    const std::int64_t skew = options.clock_skew_max / 1000;
    const auto drift = static_cast<std::int64_t>(options.clock_drift_ppm_max);
    added.clock_skew_us = clock.between(-skew, skew);
    added.clock_drift_ppm = clock.between(-drift, drift);
    return node;
  }

  Status start(NodeIndex node) {
    Host& started = host(node);
    ProcessSettings settings;
    settings.id = ring->members()[started.member].id;
    settings.member = started.member;
    settings.endpoint = started.endpoint;
    settings.endpoints = endpoints;
    settings.endpoints[started.member] = started.endpoint;
    settings.shards = options.shards;
    settings.ring = ring;
    settings.keyspace = keyspace;
    settings.frame_bytes_max = options.frame_bytes_max;
    settings.operations_max = options.operations_max;
    settings.engine_times = options.engine_times;
    settings.inline_engine = options.inline_engine;
    settings.ping_interval = options.ping_interval;
    settings.suspect_after = options.suspect_after;
    settings.clock_skew_us = started.clock_skew_us;
    settings.clock_drift_ppm = started.clock_drift_ppm;
    const std::string stream =
        "node " + std::to_string(node) + " start " + std::to_string(++started.starts);
    auto process = std::make_shared<SimulatedProcess>(queue, trace, network, std::move(settings),
                                                      started.disk->mount(), started.faults,
                                                      SeededRandom(options.seed, stream));
    const Status status = process->start();
    if (status.is_ok())
      started.process = std::move(process);
    else
      started.disk->end_mounts();
    return status;
  }

  void end(NodeIndex node, bool close_engines) {
    Host& ended = host(node);
    if (ended.process) {
      ended.process->end(close_engines);
      ended.process->add_counters(ended_counters);
    }
    ended.disk->end_mounts();
    ended.process.reset();
  }

  SimulationOptions options;
  EventQueue queue;
  Trace trace;
  SimulatedNetwork network;
  std::shared_ptr<const Keyspace> keyspace;
  std::shared_ptr<const Ring> ring;
  std::vector<Host> hosts;
  std::vector<Endpoint> endpoints;  // by member index
  SimulatedClients clients;
  std::vector<DiskImage> backups;
  std::map<std::string, std::uint64_t> ended_counters;
};

Simulation::Simulation(SimulationOptions options)
    : world_(std::make_unique<World>(std::move(options))) {}
Simulation::~Simulation() = default;

const SimulationOptions& Simulation::options() const { return world_->options; }

Instant Simulation::now() const { return world_->queue.now(); }
void Simulation::run_for(Nanoseconds span) { world_->queue.run_until(now() + span); }
void Simulation::run_until(Instant until) { world_->queue.run_until(until); }

bool Simulation::run_until_done(OperationHandle operation, Instant until) {
  while (!result(operation).done && world_->queue.run_next(until)) continue;
  return result(operation).done;
}

OperationHandle Simulation::start_get(NodeIndex node, ByteView key,
                                      const OperationOptions& options) {
  return world_->clients.start(OperationKind::get, node, key, {}, options);
}
OperationHandle Simulation::start_put(NodeIndex node, ByteView key, ByteView value,
                                      const OperationOptions& options) {
  return world_->clients.start(OperationKind::put, node, key, value, options);
}
OperationHandle Simulation::start_remove(NodeIndex node, ByteView key,
                                         const OperationOptions& options) {
  return world_->clients.start(OperationKind::remove, node, key, {}, options);
}

const OperationResult& Simulation::result(OperationHandle operation) const {
  return world_->clients.result(operation);
}

OperationResult Simulation::get(NodeIndex node, ByteView key, const OperationOptions& options) {
  const OperationHandle operation = start_get(node, key, options);
  run_until_done(operation);
  return result(operation);
}
OperationResult Simulation::put(NodeIndex node, ByteView key, ByteView value,
                                const OperationOptions& options) {
  const OperationHandle operation = start_put(node, key, value, options);
  run_until_done(operation);
  return result(operation);
}
OperationResult Simulation::remove(NodeIndex node, ByteView key, const OperationOptions& options) {
  const OperationHandle operation = start_remove(node, key, options);
  run_until_done(operation);
  return result(operation);
}

void Simulation::on_finished(std::function<void(OperationHandle)> finished) {
  world_->clients.on_finished(std::move(finished));
}
void Simulation::forget_contexts(std::uint32_t client) { world_->clients.forget_contexts(client); }

std::vector<NodeIndex> Simulation::primaries_of(ByteView key) const {
  return primaries(*world_->ring, token_of(key), world_->options.n);
}
std::vector<NodeIndex> Simulation::preference_of(ByteView key) const {
  return primaries(*world_->ring, token_of(key), world_->options.nodes);
}

void Simulation::cut(NodeIndex source, NodeIndex target) {
  world_->trace.add(now(), TraceKind::fault, source, target);
  world_->network.cut(endpoint_of(source), endpoint_of(target));
}
void Simulation::mend(NodeIndex source, NodeIndex target) {
  world_->network.mend(endpoint_of(source), endpoint_of(target));
}

void Simulation::partition(const std::vector<std::vector<NodeIndex>>& groups) {
  for (std::size_t one = 0; one < groups.size(); ++one)
    for (std::size_t other = 0; other < groups.size(); ++other)
      if (one != other)
        for (const NodeIndex source : groups[one])
          for (const NodeIndex target : groups[other]) cut(source, target);
}
void Simulation::heal() { world_->network.mend_all(); }

Endpoint Simulation::endpoint_of(NodeIndex node) const { return world_->host(node).endpoint; }
Endpoint Simulation::endpoint_of_client(std::uint32_t client) const {
  return SimulatedClients::endpoint_of_client(client);
}
RuleId Simulation::add_rule(MessageRule rule) { return world_->network.add_rule(std::move(rule)); }
void Simulation::release(RuleId rule) { world_->network.release(rule); }
void Simulation::discard(RuleId rule) { world_->network.discard(rule); }
std::uint64_t Simulation::matched(RuleId rule) const { return world_->network.matched(rule); }
SimulatedNetwork& Simulation::network() { return world_->network; }

bool Simulation::is_up(NodeIndex node) const { return world_->host(node).process != nullptr; }
std::size_t Simulation::processes() const { return world_->hosts.size(); }

Status Simulation::restart(NodeIndex node) {
  world_->end(node, false);
  return world_->start(node);
}
void Simulation::stop(NodeIndex node) { world_->end(node, true); }
void Simulation::crash(NodeIndex node) { world_->end(node, false); }

void Simulation::power_cut(NodeIndex node) {
  world_->end(node, false);
  world_->host(node).disk->power_cut();
}
void Simulation::wipe(NodeIndex node) {
  world_->end(node, false);
  world_->host(node).disk->wipe();
}

std::size_t Simulation::backup(NodeIndex node) {
  world_->backups.push_back(world_->host(node).disk->image());
  return world_->backups.size() - 1;
}
void Simulation::restore(NodeIndex node, std::size_t backup) {
  RW_CHECK(backup < world_->backups.size());
  world_->end(node, false);
  world_->host(node).disk->restore(world_->backups[backup]);
}

NodeIndex Simulation::clone(NodeIndex node) {
  const DiskImage image = world_->host(node).disk->image();
  const std::uint32_t member = world_->host(node).member;
  const auto index = static_cast<NodeIndex>(world_->hosts.size());
  world_->add_host(member, first_endpoint + index);
  world_->host(index).disk->restore(image);
  RW_CHECK(world_->start(index).is_ok());
  return index;
}

std::shared_ptr<FaultPlan> Simulation::faults(NodeIndex node) { return world_->host(node).faults; }

Result<std::optional<StoredRow>> Simulation::stored_row(NodeIndex node, ByteView key,
                                                        RowKind kind) const {
  const auto& process = world_->host(node).process;
  if (!process) return Status{Code::unavailable, "the node is down"};
  const Bytes stored_key = storage_key(kind, key);
  auto rows = process->engine().inner()->multi_get({&stored_key, 1}, MayBlock::yes);
  if (!rows.front()) return rows.front().error();
  if (!*rows.front()) return std::optional<StoredRow>();
  StoredRow stored{std::move(**rows.front()), {}};
  stored.row = decode_row(stored.bytes, key, world_->keyspace->kind());
  return std::optional<StoredRow>(std::move(stored));
}

Status Simulation::overwrite_row(NodeIndex node, ByteView key, ByteView bytes, RowKind kind) {
  const auto& process = world_->host(node).process;
  if (!process) return {Code::unavailable, "the node is down"};
  WriteBatch batch;
  batch.put(storage_key(kind, key), Bytes(bytes));
  return process->engine().inner()->write(batch, MayBlock::yes).status();
}

Status Simulation::lose_row(NodeIndex node, ByteView key, RowKind kind) {
  const auto& process = world_->host(node).process;
  if (!process) return {Code::unavailable, "the node is down"};
  WriteBatch batch;
  batch.remove(storage_key(kind, key));
  return process->engine().inner()->write(batch, MayBlock::yes).status();
}

Result<std::vector<std::pair<Bytes, StoredRow>>> Simulation::stored_rows(NodeIndex node,
                                                                         RowKind kind) const {
  const auto& process = world_->host(node).process;
  if (!process) return Status{Code::unavailable, "the node is down"};
  const auto next = static_cast<RowKind>(static_cast<std::uint8_t>(kind) + 1);
  const auto at = process->engine().inner()->iterate(
      {Bytes(1, static_cast<char>(kind)), Bytes(1, static_cast<char>(next))}, Direction::forward);
  std::vector<std::pair<Bytes, StoredRow>> rows;
  for (; at->valid(); at->next()) {
    const ByteView key = user_key(at->key());
    rows.push_back({Bytes(key), {Bytes(at->value()), {}}});
    rows.back().second.row = decode_row(at->value(), key, world_->keyspace->kind());
  }
  if (!at->status().is_ok()) return at->status();
  return rows;
}

bool Simulation::may_hold_fallback_rows() const {
  return std::any_of(world_->hosts.begin(), world_->hosts.end(), [](const auto& host) {
    return host.process && host.process->may_hold_fallback_rows();
  });
}
bool Simulation::engine_has_failed(NodeIndex node) const {
  const auto& process = world_->host(node).process;
  return process && process->engine_has_failed();
}
SimulatedDisk& Simulation::disk(NodeIndex node) { return *world_->host(node).disk; }

const History& Simulation::history() const { return world_->clients.history(); }
const std::vector<std::string>& Simulation::protocol_errors() const {
  return world_->clients.protocol_errors();
}

std::map<std::string, std::uint64_t> Simulation::counters() const {
  auto sums = world_->ended_counters;
  for (const auto& host : world_->hosts)
    if (host.process) host.process->add_counters(sums);
  return sums;
}
const Trace& Simulation::trace() const { return world_->trace; }
std::string Simulation::digest() const { return world_->trace.digest(); }

SeededRandom Simulation::stream(std::string_view name) const {
  return SeededRandom(world_->options.seed, name);
}
void Simulation::at(Instant when, std::function<void()> action) {
  world_->queue.at(when, std::move(action));
}

}  // namespace ringwright
