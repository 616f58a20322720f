#include "replication/simulation/swarm.h"

#include <algorithm>

#include "replication/simulation/swarm_run.h"

namespace ringwright {
namespace {

constexpr Nanoseconds workload_length_max = seconds(600);
// Longer than clocks may run ahead: what they refused of each other is over then.
constexpr Nanoseconds settling_min = seconds(8);
constexpr Nanoseconds settling_max = seconds(120);
constexpr int final_tries_max = 100;

void add(std::vector<std::string>& sentences, const Violations& violations) {
  for (const Violation& violation : violations) sentences.push_back(to_string(violation));
}

// From the last fault to the final reads.
class Epilogue {
 public:
  Epilogue(Simulation& world, const std::vector<Bytes>& keys) : world_(world), keys_(keys) {}

  void run() {
    world_.on_finished({});
    // Whatever is still on its way arrives before the verdict.
    const NetworkSettings& network = world_.options().network;
    const Nanoseconds latest = std::max(network.tail > 0 ? network.tail_max : 0,
                                        network.replay > 0 ? network.replay_after_max : 0);
    world_.run_for(settling_min + latest);
    const Instant until = world_.now() + settling_max;
    restart_failed();
    while (world_.may_hold_fallback_rows() && world_.now() < until) {
      world_.run_for(milliseconds(100));
      restart_failed();
    }
    if (world_.may_hold_fallback_rows())
      violations_.push_back({"handoff", "fallback rows were not delivered within " +
                                            std::to_string(settling_max / seconds(1)) +
                                            " s of peace"});
    for (const Bytes& key : keys_) read(key);
    world_.run_for(seconds(2));  // read repair
    if (!restart_failed()) return;
    // The repair met an engine that had failed long before.
    for (const Bytes& key : keys_) read(key);
    world_.run_for(seconds(2));
  }

  const FinalStates& finals() const { return finals_; }
  const Violations& violations() const { return violations_; }

 private:
  // An engine whose log failed takes no more until it is opened again; some are noticed only now.
  // True when there was one.
  bool restart_failed() {
    bool any = false;
    for (NodeIndex node = 0; node < world_.options().nodes; ++node) {
      if (!world_.engine_has_failed(node)) continue;
      any = true;
      world_.restart(node).ignore("a node that stays down shows in the reads");
    }
    return any;
  }

  void read(const Bytes& key) {
    OperationOptions options;
    options.level = world_.options().n;
    const auto owners = world_.primaries_of(key);
    OperationResult last;
    for (int tried = 0; tried < final_tries_max; ++tried) {
      last = world_.get(owners[static_cast<std::size_t>(tried) % owners.size()], key, options);
      if (last.outcome == Outcome::ok) {
        auto context = decode_context(last.context);
        FinalState& state = finals_[key];
        state.siblings = std::move(last.siblings);
        if (context) state.context = std::move(*context);
        return;
      }
      world_.run_for(milliseconds(200));
      restart_failed();
    }
    violations_.push_back({"final", "key " + printable(key) + " cannot be read with r = n in " +
                                        "peace: " + std::string(code_name(last.code)) + ", " +
                                        last.message});
  }

  Simulation& world_;
  const std::vector<Bytes>& keys_;
  FinalStates finals_;
  Violations violations_;
};

// All rows go to the witness; the copies of the owners are returned, for G9.
std::vector<ReplicaCopy> collect_rows(Simulation& world, DotWitness& witness) {
  std::vector<ReplicaCopy> copies;
  for (NodeIndex node = 0; node < world.options().nodes; ++node) {
    const std::string name = "node" + std::to_string(node + 1);
    for (const RowKind kind : {RowKind::data, RowKind::fallback}) {
      const auto rows = world.stored_rows(node, kind);
      if (!rows) continue;
      for (const auto& [key, stored] : *rows) {
        witness.see(key, stored.row.record, "a row of " + name);
        const auto owners = world.primaries_of(key);
        if (kind == RowKind::data && std::find(owners.begin(), owners.end(), node) != owners.end())
          copies.push_back({key, name, stored.row.record});
      }
    }
  }
  return copies;
}

void judge(const SwarmParameters& parameters, const History& history, const FinalStates& finals,
           std::vector<std::string>& sentences) {
  add(sentences, check_finals_present(history, finals));
  if (parameters.world.resolver == "lww") {
    add(sentences, check_last_write_wins(history, finals));
  } else {
    add(sentences, check_no_write_lost(history, finals));
    add(sentences, check_contexts_honest(history));
    add(sentences, check_no_resurrection(history, finals));
  }
  add(sentences, check_failed_invisible(history, finals));
  add(sentences, check_integrity(history, finals));
}

void count(const Simulation& world, SwarmResult& result) {
  for (const auto& [name, value] : world.counters()) result.counters[name] += value;
  for (const HistoryOperation& operation : world.history())
    ++result.counters[operation.outcome == Outcome::ok       ? "operations.ok"
                      : operation.outcome == Outcome::failed ? "operations.failed"
                                                             : "operations.unknown"];
  result.counters["events"] = world.trace().events();
  result.counters["virtual_ms"] = static_cast<std::uint64_t>(world.now() / milliseconds(1));
}

}  // namespace

void SwarmObserver::see(const Envelope& envelope, Instant now) {
  if (const auto* piece = std::get_if<Fragment>(&envelope.message)) {
    assembler_.tick(now);
    if (const auto whole = assembler_.add(*piece, now)) see_message(whole->message);
  } else {
    see_message(envelope.message);
  }
}

void SwarmObserver::see_message(const Message& message) {
  if (const auto* write = std::get_if<ReplicaWrite>(&message))
    see_record(write->key, write->record, "a write to a replica");
  else if (const auto* read = std::get_if<ReplicaRead>(&message))
    read_keys_[read->operation] = read->key;
  else if (const auto* reply = std::get_if<ReplicaReadReply>(&message))
    if (const auto key = read_keys_.find(reply->operation); key != read_keys_.end())
      see_record(key->second, reply->record, "a replica's answer");
}

void SwarmObserver::see_record(ByteView key, ByteView bytes, std::string_view where) {
  if (bytes.empty()) return;
  // Operations of two nodes may have one name: then the bytes are not of this key.
  if (const auto record = decode_record(bytes, key, kind_)) witness_.see(key, *record, where);
}

SwarmResult run_swarm(std::uint64_t seed, const SwarmLimits& limits) {
  const SwarmParameters parameters = draw_parameters(seed, limits);
  SwarmResult result;
  result.seed = seed;
  result.parameters = to_list(parameters);

  Simulation world(parameters.world);
  SwarmObserver observer(parameters.world.resolver == "lww" ? RecordKind::lww
                                                            : RecordKind::siblings);
  world.network().observe([&](const Envelope& envelope, bool delivered) {
    if (!delivered) observer.see(envelope, world.now());
  });
  SwarmWorkload workload(world, parameters);
  SwarmNemesis nemesis(world, workload, parameters);
  workload.start();
  nemesis.start();
  while (!workload.done() && world.now() < workload_length_max) world.run_for(milliseconds(50));
  if (!workload.done())
    result.violations.push_back("client: an operation neither ended nor timed out");

  nemesis.stop_and_heal();
  const auto keys = workload.keys();
  Epilogue epilogue(world, keys);
  epilogue.run();

  const auto copies = collect_rows(world, observer.witness());
  result.counters = nemesis.counters();
  result.history = world.history();
  add(result.violations, nemesis.violations());
  add(result.violations, epilogue.violations());
  judge(parameters, result.history, epilogue.finals(), result.violations);
  add(result.violations, observer.witness().violations());
  add(result.violations, check_convergence(copies));
  for (const std::string& error : world.protocol_errors())
    result.violations.push_back("protocol: " + error);
  count(world, result);
  result.digest = world.digest();
  result.checkpoints = world.trace().checkpoints();
  return result;
}

std::string describe_parameters(const SwarmResult& result) {
  std::string text;
  for (const auto& [name, value] : result.parameters) text += "  " + name + " = " + value + "\n";
  return text;
}

}  // namespace ringwright
