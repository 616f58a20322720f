#include <algorithm>

#include "replication/simulation/swarm_run.h"

namespace ringwright {
namespace {

const std::initializer_list<EngineFault> engine_faults = {
    EngineFault::read_fails, EngineFault::write_refused, EngineFault::write_doubtful_kept,
    EngineFault::write_doubtful_lost, EngineFault::sync_fails};

}  // namespace

SwarmNemesis::SwarmNemesis(Simulation& world, SwarmWorkload& workload,
                           const SwarmParameters& parameters)
    : world_(world),
      workload_(workload),
      parameters_(parameters),
      random_(world.stream("faults")) {}

void SwarmNemesis::after(Nanoseconds delay, std::function<void()> action) {
  world_.at(world_.now() + delay, [this, act = std::move(action)] {
    if (active_) act();
  });
}

Nanoseconds SwarmNemesis::draw_length() { return random_.between(0, parameters_.fault_length_max); }

void SwarmNemesis::start() {
  if (parameters_.faults.empty()) return;
  after(random_.between(0, parameters_.fault_interval_max), [this] { step(); });
}

void SwarmNemesis::step() {
  fire(parameters_.faults[random_.below(parameters_.faults.size())]);
  start();
}

void SwarmNemesis::fire(SwarmFault kind) {
  ++counters_["fault." + std::string(swarm_fault_name(kind))];
  const auto node = static_cast<NodeIndex>(random_.below(parameters_.world.nodes));
  switch (kind) {
    case SwarmFault::crash:
    case SwarmFault::stop:
    case SwarmFault::power_cut:
    case SwarmFault::power_cut_all:
      return fire_on_node(kind, node);
    case SwarmFault::cut_one_way:
    case SwarmFault::cut_pair:
    case SwarmFault::split:
    case SwarmFault::isolate:
    case SwarmFault::slow_messages:
      return fire_on_links(kind);
    case SwarmFault::flaky_reads:
    case SwarmFault::refused_writes:
    case SwarmFault::doubtful_writes:
    case SwarmFault::failed_sync:
    case SwarmFault::failed_append:
    case SwarmFault::failed_start:
      return fire_on_engine(kind, node);
    case SwarmFault::wipe:
    case SwarmFault::restore:
    case SwarmFault::clone:
    case SwarmFault::damage:
      return fire_on_disk_loser(kind);
  }
}

void SwarmNemesis::fire_on_node(SwarmFault kind, NodeIndex node) {
  if (kind == SwarmFault::power_cut_all) {
    for (NodeIndex each = 0; each < parameters_.world.nodes; ++each) {
      world_.power_cut(each);
      restart_later(each);
    }
    return;
  }
  if (kind == SwarmFault::stop)
    world_.stop(node);
  else if (kind == SwarmFault::crash)
    world_.crash(node);
  else
    world_.power_cut(node);
  restart_later(node);
}

void SwarmNemesis::fire_on_links(SwarmFault kind) {
  const std::uint32_t nodes = parameters_.world.nodes;
  const auto one = static_cast<NodeIndex>(random_.below(nodes));
  const auto other = static_cast<NodeIndex>((one + 1 + random_.below(nodes - 1)) % nodes);
  if (kind == SwarmFault::slow_messages) {
    MessageRule rule;
    rule.source = world_.endpoint_of(one);
    if (random_.chance(0.5)) rule.target = world_.endpoint_of(other);
    rule.count = random_.between(1, 20);
    const RuleId held = world_.add_rule(std::move(rule));
    return after(draw_length(), [this, held] { world_.release(held); });
  }
  std::vector<std::pair<NodeIndex, NodeIndex>> cuts;
  if (kind == SwarmFault::cut_one_way || kind == SwarmFault::cut_pair) {
    cuts.emplace_back(one, other);
    if (kind == SwarmFault::cut_pair) cuts.emplace_back(other, one);
  } else {
    const std::uint64_t side = kind == SwarmFault::isolate ? 1ULL << one : random_.next();
    for (NodeIndex source = 0; source < nodes; ++source)
      for (NodeIndex target = 0; target < nodes; ++target)
        if ((side >> source & 1) != (side >> target & 1)) cuts.emplace_back(source, target);
  }
  for (const auto& [source, target] : cuts) world_.cut(source, target);
  after(draw_length(), [this, cuts] {
    for (const auto& [source, target] : cuts) world_.mend(source, target);
  });
}

void SwarmNemesis::fire_on_engine(SwarmFault kind, NodeIndex node) {
  const auto plan = world_.faults(node);
  const double share = 0.02 + 0.4 * static_cast<double>(random_.below(100)) / 100;
  switch (kind) {
    case SwarmFault::flaky_reads:
      plan->set_probability(EngineFault::read_fails, share);
      break;
    case SwarmFault::refused_writes:
      plan->set_probability(EngineFault::write_refused, share);
      break;
    case SwarmFault::doubtful_writes:
      plan->set_probability(EngineFault::write_doubtful_kept, share / 2);
      plan->set_probability(EngineFault::write_doubtful_lost, share / 2);
      break;
    case SwarmFault::failed_sync:
      if (random_.chance(0.5))
        world_.disk(node).fail_next(DiskFault::sync_fails);
      else
        plan->fail_next(EngineFault::sync_fails);
      return restart_later(node);
    case SwarmFault::failed_append:
      world_.disk(node).fail_next(static_cast<DiskFault>(random_.below(3)));
      return restart_later(node);
    default:  // failed_start: the disk cannot be read when the process comes up
      world_.crash(node);
      world_.disk(node).fail_next(DiskFault::read_fails);
      return restart_later(node);
  }
  after(draw_length(), [plan] {
    for (const EngineFault each : engine_faults) plan->set_probability(each, 0);
  });
}

void SwarmNemesis::fire_on_disk_loser(SwarmFault kind) {
  const NodeIndex node = parameters_.disk_loser;
  switch (kind) {
    case SwarmFault::wipe:
      world_.wipe(node);
      return restart_later(node);
    case SwarmFault::restore:
      if (!backup_ || random_.chance(0.3)) {
        backup_ = world_.backup(node);
        return;
      }
      world_.restore(node, *backup_);
      return restart_later(node);
    case SwarmFault::clone:
      if (clone_) return;
      clone_ = world_.clone(node);
      workload_.set_clone(clone_);
      return after(draw_length() * 2, [this] { end_clone(); });
    default:
      return damage_row(node);
  }
}

// The clone and what was acknowledged by it alone are gone for ever.
void SwarmNemesis::end_clone() {
  if (!clone_) return;
  workload_.set_clone(std::nullopt);
  world_.crash(*clone_);
  clone_.reset();
}

void SwarmNemesis::damage_row(NodeIndex node) {
  const auto keys = workload_.keys();
  const Bytes& key = keys[random_.below(keys.size())];
  // Now and then the whole row is gone, while the process goes on.
  if (random_.chance(0.4)) {
    world_.lose_row(node, key).ignore("a fault that did not happen");
    return;
  }
  const auto stored = world_.stored_row(node, key);
  if (!stored || !*stored || (*stored)->bytes.empty()) return;
  Bytes bytes = (*stored)->bytes;
  if (random_.chance(0.2)) {
    bytes.resize(random_.below(bytes.size()));
  } else {
    char& byte = bytes[random_.below(bytes.size())];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1 + random_.below(255)));
  }
  world_.overwrite_row(node, key, bytes).ignore("a fault that did not happen");
}

void SwarmNemesis::restart_later(NodeIndex node) {
  after(draw_length(), [this, node] { restart(node); });
}

void SwarmNemesis::restart(NodeIndex node) {
  // Another fault may have restarted it already.
  if (world_.is_up(node) && !world_.engine_has_failed(node)) return;
  ++counters_["restarts"];
  const Status status = world_.restart(node);
  if (status.is_ok()) return;
  ++counters_["restarts_failed"];
  restart_later(node);
}

void SwarmNemesis::stop_and_heal() {
  active_ = false;
  end_clone();
  NetworkSettings& network = world_.network().settings();
  network.loss = network.duplication = network.replay = network.tail = 0;
  world_.heal();
  world_.network().release_all();
  for (NodeIndex node = 0; node < parameters_.world.nodes; ++node) {
    for (const EngineFault each : engine_faults)
      counters_["engine." + std::string(engine_fault_name(each))] +=
          world_.faults(node)->fired(each);
    world_.faults(node)->disarm();
    world_.disk(node).disarm();
    const bool needed = !world_.is_up(node) || world_.engine_has_failed(node);
    if (!needed && !parameters_.restart_all) continue;
    const Status status = world_.restart(node);
    if (!status.is_ok())
      violations_.push_back(
          {"start", "node" + std::to_string(node + 1) +
                        " does not start on what its disk holds: " + status.to_string()});
  }
}

}  // namespace ringwright
