#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "replication/history/checkers.h"
#include "replication/simulation/world.h"

namespace ringwright::test {

// What every scenario is run with.
struct Setting {
  std::uint32_t shards = 1;
  bool native_merge = false;
};

inline const std::array<Setting, 4> settings = {Setting{1, false}, Setting{1, true},
                                                Setting{2, false}, Setting{2, true}};

inline std::string setting_name(const testing::TestParamInfo<Setting>& info) {
  return std::string(info.param.shards == 1 ? "OneShard" : "TwoShards") +
         (info.param.native_merge ? "BlindMerges" : "ReadMergeWrite");
}

inline std::string to_text(const OperationResult& result) {
  constexpr std::string_view outcomes[] = {"ok", "failed", "unknown"};
  return std::string(outcomes[static_cast<std::size_t>(result.outcome)]) + ", " +
         std::string(code_name(result.code)) + ": " + result.message;
}

inline std::vector<Bytes> values_of(const std::vector<ShownSibling>& siblings) {
  std::vector<Bytes> values;
  for (const ShownSibling& sibling : siblings) values.push_back(sibling.value);
  std::sort(values.begin(), values.end());
  return values;
}

inline std::vector<Bytes> values_of(const Record& record) {
  std::vector<Bytes> values;
  for (const Sibling& sibling : record.siblings)
    if (!sibling.tombstone) values.push_back(sibling.value);
  std::sort(values.begin(), values.end());
  return values;
}

using Values = std::vector<Bytes>;

// A scripted world of five nodes in which every record that travels is watched, and the judgement
// over what came of it.
class Scenario {
 public:
  explicit Scenario(SimulationOptions options) : world(std::move(options)) {
    kind_ = world.options().resolver == "lww" ? RecordKind::lww : RecordKind::siblings;
    world.network().observe([this](const Envelope& envelope, bool delivered) {
      if (!delivered) watch(envelope);
    });
    world.run_for(seconds(1));  // until every node has leased its clock
  }
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;

  Simulation world;

  // The key's three owners, then the two others in the order in which they stand in.
  std::array<NodeIndex, 5> nodes_of(ByteView key) const {
    const auto order = world.preference_of(key);
    return {order.at(0), order.at(1), order.at(2), order.at(3), order.at(4)};
  }

  void cut(NodeIndex one, NodeIndex other) { world.partition({{one}, {other}}); }
  void mend(NodeIndex one, NodeIndex other) {
    world.mend(one, other);
    world.mend(other, one);
  }
  void isolate(NodeIndex node) {
    for (NodeIndex other = 0; other < world.options().nodes; ++other)
      if (other != node) cut(node, other);
  }
  // Long enough for everybody to notice who is silent, or who is back.
  void let_views_settle() {
    world.run_for(world.options().suspect_after + 2 * world.options().ping_interval);
  }
  // A put that must succeed.
  OperationResult put(NodeIndex node, ByteView key, ByteView value,
                      const OperationOptions& options = {}) {
    const OperationResult result = world.put(node, key, value, options);
    EXPECT_EQ(result.outcome, Outcome::ok) << "put of " << value << ": " << to_text(result);
    return result;
  }
  // A read that must succeed, through `level` replicas (0: the keyspace's r).
  OperationResult get(NodeIndex node, ByteView key, std::uint32_t level = 0) {
    OperationOptions options;
    options.level = level;
    const OperationResult result = world.get(node, key, options);
    EXPECT_EQ(result.outcome, Outcome::ok) << "get: " << to_text(result);
    return result;
  }
  // The values in one node's own row; damaged rows have none.
  Values stored(NodeIndex node, ByteView key, RowKind kind = RowKind::data) const {
    const auto row = world.stored_row(node, key, kind);
    EXPECT_TRUE(row.has_value()) << row.status().message();
    return row && *row ? values_of((*row)->row.record) : Values{};
  }
  bool has_row(NodeIndex node, ByteView key, RowKind kind = RowKind::data) const {
    const auto row = world.stored_row(node, key, kind);
    return row && row->has_value();
  }
  template <typename Condition>
  bool run_until(const Condition& holds, Nanoseconds at_most = seconds(20)) {
    const Instant end = world.now() + at_most;
    while (!holds() && world.now() < end) world.run_for(microseconds(200));
    return holds();
  }

  // Records of this key that a node has sent to a replica, pieces of large ones aside.
  std::size_t writes_sent(NodeIndex source, ByteView key) const {
    const Endpoint endpoint = world.endpoint_of(source);
    return static_cast<std::size_t>(std::count_if(
        writes_.begin(), writes_.end(),
        [&](const auto& write) { return write.first == endpoint && write.second == key; }));
  }

  // Ends all faults, restarts every node, lets the stand-ins deliver, reads every key through all
  // its replicas, and asks every checker. What it returns should be empty.
  std::vector<std::string> judge() {
    end_faults();
    std::vector<std::string> found;
    const bool delivered = run_until([&] { return !world.may_hold_fallback_rows(); });
    if (!delivered) found.push_back("a stand-in still keeps rows");
    finals_.clear();
    for (const HistoryOperation& operation : History(world.history()))
      if (!finals_.contains(operation.key)) read_in_the_end(operation.key, found);
    std::vector<ReplicaCopy> copies;
    for (const auto& [key, state] : finals_) look_at_copies(key, copies, found);
    collect(check_convergence(copies), found);
    collect(witness_.violations(), found);
    ask_checkers(found);
    for (const std::string& error : world.protocol_errors()) found.push_back(error);
    return found;
  }
  // After `judge`.
  Values final_values(ByteView key) const {
    const auto at = finals_.find(Bytes(key));
    return at == finals_.end() ? Values{} : values_of(at->second.siblings);
  }

 private:
  void watch(const Envelope& envelope) {
    const auto* write = std::get_if<ReplicaWrite>(&envelope.message);
    if (write == nullptr) return;
    writes_.emplace_back(envelope.source, write->key);
    const auto record = decode_record(write->record, write->key, kind_);
    EXPECT_TRUE(record.has_value());
    if (record)
      witness_.see(write->key, *record, "a message of endpoint " + std::to_string(envelope.source));
  }

  void end_faults() {
    NetworkSettings& network = world.network().settings();
    network.loss = network.duplication = network.replay = network.tail = 0;
    world.network().release_all();
    world.heal();
    world.run_for(seconds(1));
    for (NodeIndex node = 0; node < world.processes(); ++node) {
      world.faults(node)->disarm();
      world.disk(node).disarm();
      if (node >= world.options().nodes)
        world.stop(node);
      else
        EXPECT_TRUE(world.restart(node).is_ok());
    }
    let_views_settle();
  }

  void read_in_the_end(const Bytes& key, std::vector<std::string>& found) {
    OperationOptions all;
    all.level = world.options().n;
    OperationResult read;
    // The first read may find replicas that it has to repair.
    for (int round = 0; round < 3; ++round) {
      read = world.get(world.primaries_of(key).front(), key, all);
      world.run_for(seconds(1));
    }
    const auto context = decode_context(read.context);
    if (read.outcome != Outcome::ok || !context)
      found.push_back("key " + printable(key) + " cannot be read in the end: " + to_text(read));
    else
      finals_[key] = {read.siblings, *context};
  }

  void look_at_copies(const Bytes& key, std::vector<ReplicaCopy>& copies,
                      std::vector<std::string>& found) {
    for (const NodeIndex node : world.primaries_of(key)) {
      const auto stored = world.stored_row(node, key);
      const std::string name = "node" + std::to_string(node + 1);
      ReplicaCopy copy{key, name, {}};
      copy.record.kind = kind_;
      if (!stored)
        found.push_back(name + ": " + stored.error().message());
      else if (*stored && (*stored)->row.is_damaged())
        found.push_back(name + ": damaged row");
      else if (*stored)
        copy.record = (*stored)->row.record;
      witness_.see(key, copy.record, "row of " + name);
      copies.push_back(std::move(copy));
    }
  }

  void ask_checkers(std::vector<std::string>& found) const {
    const History& history = world.history();
    collect(check_finals_present(history, finals_), found);
    collect(check_failed_invisible(history, finals_), found);
    collect(check_integrity(history, finals_), found);
    if (kind_ == RecordKind::lww) {
      collect(check_last_write_wins(history, finals_), found);
      return;
    }
    collect(check_no_write_lost(history, finals_), found);
    collect(check_contexts_honest(history), found);
    collect(check_no_resurrection(history, finals_), found);
    std::map<Dot, std::uint64_t> writers;
    for (const HistoryOperation& operation : history)
      for (const auto& event : operation.events)
        if (writers.emplace(event.dot, operation.id).first->second != operation.id)
          found.push_back("G2: dot " + to_string(event.dot) + " was acknowledged to two writes");
  }

  static void collect(const Violations& violations, std::vector<std::string>& found) {
    for (const Violation& violation : violations) found.push_back(to_string(violation));
  }

  RecordKind kind_ = RecordKind::siblings;
  DotWitness witness_;
  std::vector<std::pair<Endpoint, Bytes>> writes_;
  FinalStates finals_;
};

// Base of every suite of scenarios.
class ScenarioTest : public testing::TestWithParam<Setting> {
 protected:
  SimulationOptions options(std::uint64_t seed = 1) const {
    SimulationOptions options;
    options.seed = seed;
    options.shards = GetParam().shards;
    options.native_merge = GetParam().native_merge;
    options.clients = 4;
    return options;
  }
  static OperationOptions with_context(const Bytes& context, std::uint32_t client = 0) {
    OperationOptions options;
    options.context = context;
    options.client = client;
    return options;
  }
  static OperationOptions by_client(std::uint32_t client) {
    OperationOptions options;
    options.client = client;
    return options;
  }
  static OperationOptions with_level(std::uint32_t level) {
    OperationOptions options;
    options.level = level;
    return options;
  }
};

inline const std::vector<std::string> nothing_wrong;
inline constexpr ByteView cart = "cart";

}  // namespace ringwright::test
