#include "replication/simulation/swarm_parameters.h"

#include <algorithm>
#include <cstdio>

namespace ringwright {
namespace {

constexpr std::string_view fault_names[] = {
    "crash",         "stop",           "power_cut",       "power_cut_all",
    "cut_one_way",   "cut_pair",       "split",           "isolate",
    "flaky_reads",   "refused_writes", "doubtful_writes", "failed_sync",
    "failed_append", "failed_start",   "slow_messages",   "wipe",
    "restore",       "clone",          "damage"};
static_assert(std::size(fault_names) == swarm_fault_kinds);

double share(Random& random) { return static_cast<double>(random.below(1001)) / 1000; }

std::uint32_t draw(Random& random, std::int64_t low, std::int64_t high) {
  return static_cast<std::uint32_t>(random.between(low, high));
}

void draw_faults(SwarmParameters& drawn, Random& random) {
  const bool may_lose_disk = drawn.world.n >= 2 && random.chance(0.35);
  const double density = 0.1 + 0.5 * share(random);
  const bool none = random.chance(0.03);
  for (std::size_t index = 0; index < swarm_fault_kinds; ++index) {
    const auto kind = static_cast<SwarmFault>(index);
    const bool power = kind == SwarmFault::power_cut || kind == SwarmFault::power_cut_all;
    const bool exists = random.chance(loses_disk(kind) ? 0.5 : density) && !none;
    if (!exists || (power && drawn.world.durability != Durability::disk)) continue;
    if (loses_disk(kind) && !may_lose_disk) continue;
    drawn.faults.push_back(kind);
  }
  drawn.disk_loser = draw(random, 0, drawn.world.nodes - 1);
  const bool loses = !drawn.faults.empty() && loses_disk(drawn.faults.back());
  drawn.w_min = loses ? 2 : 1;
  drawn.fault_interval_max = milliseconds(random.between(200, 3'000));
  drawn.fault_length_max = milliseconds(random.between(50, random.chance(0.5) ? 8'000 : 1'500));
  drawn.restart_all = random.chance(0.5);
}

void draw_quorum(SwarmParameters& drawn, Random& random) {
  SimulationOptions& world = drawn.world;
  const std::uint32_t majority = world.n / 2 + 1;
  const bool majorities = random.chance(0.5);
  const std::uint32_t r = draw(random, 1, world.n);
  const std::uint32_t w = draw(random, drawn.w_min, world.n);
  world.r = majorities ? majority : r;
  world.w = std::max(majorities ? majority : w, drawn.w_min);
}

void draw_network(NetworkSettings& network, Random& random) {
  const std::uint64_t quality = random.below(3);
  const double loss = share(random);
  if (quality > 0) network.loss = quality == 1 ? loss * 0.03 : loss * 0.3;
  const double duplication = share(random) * 0.1;
  if (random.chance(0.5)) network.duplication = duplication;
  const double replay = share(random) * 0.03;
  if (random.chance(0.3)) network.replay = replay;
  network.delay_min = microseconds(random.between(10, 300));
  network.delay_mean = microseconds(random.between(20, random.chance(0.2) ? 40'000 : 2'000));
  const double tail = share(random) * 0.05;
  if (random.chance(0.5)) network.tail = tail;
  network.tail_max = milliseconds(random.between(5, 2'000));
  network.self_delay = microseconds(random.between(1, 50));
  network.true_bytes = random.chance(0.3);
  network.refusal = static_cast<double>(random.below(3)) / 2;
}

void draw_world(SwarmParameters& drawn, Random& random) {
  SimulationOptions& world = drawn.world;
  world.nodes = draw(random, 3, 7);
  const std::uint64_t shards = random.below(10);
  world.shards = shards < 5 ? 1 : shards < 9 ? 2 : 3;
  const std::uint32_t other_n[] = {2, 4, 5};
  const std::uint32_t n = other_n[random.below(3)];
  world.n = random.chance(0.25) ? std::min(n, world.nodes) : 3;
  world.partitions = 1U << random.between(3, 6);
  world.sloppy = random.chance(0.6);
  world.fan_out = random.chance(0.3) ? FanOut::quorum : FanOut::all;
  world.resolver = random.chance(0.2) ? "lww" : "vector_clock";
  world.durability = random.chance(0.65) ? Durability::disk : Durability::os;
  world.native_merge = random.chance(0.5);
  world.inline_engine = random.chance(0.5);
  const std::size_t frame = static_cast<std::size_t>(random.between(200, 4'000));
  if (random.chance(0.25)) world.frame_bytes_max = frame;
  world.engine_times.read_max = microseconds(random.between(1, 2'000));
  world.engine_times.write_max = microseconds(random.between(1, 3'000));
  world.engine_times.sync_max = microseconds(random.between(10, 20'000));
  world.ping_interval = milliseconds(random.between(100, 300));
  world.suspect_after = world.ping_interval * random.between(2, 4);
  const Nanoseconds skew = milliseconds(random.between(1, 2'000));
  if (random.chance(0.5)) world.clock_skew_max = skew;
  if (random.chance(0.5)) world.clock_drift_ppm_max = 1'000 * share(random);
  draw_network(world.network, random);
}

void draw_workload(SwarmParameters& drawn, const SwarmLimits& limits, Random& random) {
  drawn.keys = draw(random, 1, 8);
  drawn.world.clients = draw(random, 1, 5);
  drawn.operations = draw(random, limits.operations_min, limits.operations_max);
  drawn.get_share = 0.1 + 0.6 * share(random);
  drawn.remove_share = random.chance(0.6) ? 0.4 * share(random) : 0;
  drawn.remembered_share = share(random);
  drawn.stale_share = random.chance(0.3) ? 0.3 * share(random) : 0;
  drawn.primary_share = random.chance(0.5) ? 1 : share(random);
  drawn.retry_share = random.chance(0.5) ? share(random) : 0;
  drawn.level_share = random.chance(0.3) ? 0.5 * share(random) : 0;
  drawn.large_share = random.chance(0.2) ? 0.2 * share(random) : 0;
  drawn.value_bytes_max = draw(random, 200, 20'000);
  drawn.think_max = milliseconds(random.between(1, random.chance(0.6) ? 400 : 60));
  drawn.timeout = milliseconds(random.between(50, 1'000));
}

// One run in six aims at stand-ins: few keys, links that come and go about as fast as nodes suspect
// each other, and requests through whoever stands in.
void aim_at_stand_ins(SwarmParameters& drawn, Random& random) {
  drawn.world.sloppy = true;
  drawn.world.nodes = std::max(drawn.world.nodes, drawn.world.n + 1);
  drawn.world.ping_interval = milliseconds(random.between(40, 100));
  drawn.world.suspect_after = drawn.world.ping_interval * 2;
  drawn.world.w = std::max(drawn.w_min, 1U);
  drawn.world.network.tail = std::max(drawn.world.network.tail, 0.02);
  drawn.keys = 1 + drawn.keys / 5;
  drawn.primary_share = 0.3;
  drawn.think_max = milliseconds(random.between(50, 200));
  drawn.fault_interval_max = milliseconds(random.between(100, 400));
  drawn.fault_length_max = drawn.world.suspect_after * random.between(2, 6);
  for (const SwarmFault kind :
       {SwarmFault::isolate, SwarmFault::cut_pair, SwarmFault::slow_messages})
    if (std::find(drawn.faults.begin(), drawn.faults.end(), kind) == drawn.faults.end())
      drawn.faults.insert(drawn.faults.begin(), kind);
}

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}
std::string text_ms(Nanoseconds value) { return text_of(static_cast<double>(value) / 1e6) + "ms"; }

}  // namespace

std::string_view swarm_fault_name(SwarmFault kind) {
  return fault_names[static_cast<std::size_t>(kind)];
}

SwarmParameters draw_parameters(std::uint64_t seed, const SwarmLimits& limits) {
  SwarmParameters drawn;
  SeededRandom world(seed, "parameters: world");
  SeededRandom faults(seed, "parameters: faults");
  SeededRandom quorum(seed, "parameters: quorum");
  SeededRandom workload(seed, "parameters: workload");
  drawn.world.seed = seed;
  draw_world(drawn, world);
  draw_faults(drawn, faults);
  draw_quorum(drawn, quorum);
  draw_workload(drawn, limits, workload);
  SeededRandom aim(seed, "parameters: aim");
  if (aim.chance(1.0 / 6)) aim_at_stand_ins(drawn, aim);
  return drawn;
}

std::vector<std::pair<std::string, std::string>> to_list(const SwarmParameters& drawn) {
  const SimulationOptions& world = drawn.world;
  const NetworkSettings& network = world.network;
  std::string faults;
  for (const SwarmFault kind : drawn.faults)
    faults += (faults.empty() ? "" : " ") + std::string(swarm_fault_name(kind));
  return {
      {"nodes", std::to_string(world.nodes)},
      {"shards", std::to_string(world.shards)},
      {"partitions", std::to_string(world.partitions)},
      {"n", std::to_string(world.n)},
      {"r", std::to_string(world.r)},
      {"w", std::to_string(world.w)},
      {"w_min", std::to_string(drawn.w_min)},
      {"quorum", world.sloppy ? "sloppy" : "strict"},
      {"fan_out", world.fan_out == FanOut::all ? "all" : "quorum"},
      {"resolver", world.resolver},
      {"durability", std::string(durability_name(world.durability))},
      {"native_merge", world.native_merge ? "yes" : "no"},
      {"inline_engine", world.inline_engine ? "yes" : "no"},
      {"frame_bytes", std::to_string(world.frame_bytes_max)},
      {"true_bytes", network.true_bytes ? "yes" : "no"},
      {"loss", text_of(network.loss)},
      {"duplication", text_of(network.duplication)},
      {"replay", text_of(network.replay)},
      {"delay", text_ms(network.delay_min) + " + " + text_ms(network.delay_mean)},
      {"tail", text_of(network.tail) + " up to " + text_ms(network.tail_max)},
      {"refusal", text_of(network.refusal)},
      {"engine_times", text_ms(world.engine_times.read_max) + " " +
                           text_ms(world.engine_times.write_max) + " " +
                           text_ms(world.engine_times.sync_max)},
      {"ping", text_ms(world.ping_interval) + " suspect " + text_ms(world.suspect_after)},
      {"clock", text_ms(world.clock_skew_max) + " " + text_of(world.clock_drift_ppm_max) + "ppm"},
      {"keys", std::to_string(drawn.keys)},
      {"clients", std::to_string(world.clients)},
      {"operations", std::to_string(drawn.operations)},
      {"mix", "get " + text_of(drawn.get_share) + " remove " + text_of(drawn.remove_share)},
      {"contexts",
       "remembered " + text_of(drawn.remembered_share) + " stale " + text_of(drawn.stale_share)},
      {"primary_share", text_of(drawn.primary_share)},
      {"retry_share", text_of(drawn.retry_share)},
      {"level_share", text_of(drawn.level_share)},
      {"large", text_of(drawn.large_share) + " up to " + std::to_string(drawn.value_bytes_max)},
      {"think", text_ms(drawn.think_max)},
      {"timeout", text_ms(drawn.timeout)},
      {"faults", faults.empty() ? "none" : faults},
      {"fault_interval", text_ms(drawn.fault_interval_max)},
      {"fault_length", text_ms(drawn.fault_length_max)},
      {"disk_loser", "node" + std::to_string(drawn.disk_loser + 1)},
      {"restart_all", drawn.restart_all ? "yes" : "no"},
  };
}

}  // namespace ringwright
