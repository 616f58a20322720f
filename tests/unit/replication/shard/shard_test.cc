#include "replication/shard/shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/registry.h"
#include "tests/unit/replication/ring/members.h"
#include "tests/unit/replication/shard/replica_store_by_hand.h"

namespace ringwright {
namespace {

constexpr Endpoint own = 10;
constexpr Endpoint quick = 11;
constexpr Endpoint slow = 12;
constexpr Endpoint client = 99;
constexpr std::size_t operations_max = 4;
constexpr Moment now{seconds(1), 1'000'000'000};

// Node 0 of three with a small table; the quick peer answers every read at once, the slow one only
// when a test says so.
class ShardTest : public ::testing::Test {
 protected:
  ShardTest() {
    register_builtin_resolvers(parts_);
    auto keyspace = std::make_shared<Keyspace>();
    keyspace->resolver = *parts_.create<ConflictResolver>("vector_clock");
    auto view = std::make_shared<View>();
    view->ring = std::make_shared<const Ring>(Ring::make(1, testing::equal_members(3), 16).value());
    view->states.assign(3, MemberState::alive);
    auto state = std::make_shared<NodeState>();
    state->view = view;
    state->clock_bound = timestamp_max;
    ShardSettings settings;
    settings.node = view->ring->members()[0].id;
    settings.start = 7;
    settings.endpoint = own;
    settings.endpoints = {own, quick, slow};
    settings.keyspaces = {keyspace};
    settings.capabilities.resize(1);
    settings.operations_max = operations_max;
    shard_ = std::make_unique<Shard>(std::move(settings), state);
  }

  void get(OperationId operation) {
    GetRequest request;
    request.operation = operation;
    request.keyspace = "default";
    request.key = "key" + std::to_string(operation);
    shard_->receive({client, own, 0, std::move(request)}, now);
    settle();
  }

  // Writes that arrive together, asked for by coordinators' shards.
  void write_together(const std::vector<OperationId>& operations) {
    for (const OperationId operation : operations) {
      const Bytes key = "key" + std::to_string(operation);
      ReplicaWrite write{operation, "default", key,
                         {},        {},        encode_record(test::peer_record(1, "v"), key)};
      shard_->receive({quick, own, 0, std::move(write)}, now);
    }
    settle();
  }

  // Until nothing is left that the shard itself, its engine or the quick peer could do.
  void settle() {
    for (bool again = true; again;) {
      ShardOutput output;
      shard_->take_output(output);
      again = !output.messages.empty() || !output.work.empty();
      for (const EngineWork& work : output.work) shard_->complete(engine_.perform(work), now);
      for (Envelope& envelope : output.messages) pass_on(std::move(envelope));
    }
  }

  void pass_on(Envelope&& envelope) {
    if (envelope.target == own) {
      shard_->receive(std::move(envelope), now);
    } else if (auto* const reply = std::get_if<ClientReply>(&envelope.message)) {
      replies_.push_back(std::move(*reply));
    } else if (auto* const acks = std::get_if<ReplicaWriteAcks>(&envelope.message)) {
      acks_.push_back(std::move(acks->operations));
    } else if (const auto* const read = std::get_if<ReplicaRead>(&envelope.message)) {
      Envelope answer{envelope.target, own, 0, ReplicaReadReply{read->operation, {}, {}, {}}};
      if (envelope.target == quick)
        shard_->receive(std::move(answer), now);
      else
        held_.push_back(std::move(answer));
    }
  }

  std::size_t answered_ok() const {
    return static_cast<std::size_t>(
        std::count_if(replies_.begin(), replies_.end(),
                      [](const ClientReply& reply) { return reply.outcome == Outcome::ok; }));
  }

  Registry parts_;
  test::EngineByHand engine_{RecordKind::siblings};
  std::unique_ptr<Shard> shard_;
  std::vector<ClientReply> replies_;
  std::vector<Envelope> held_;  // the slow peer's answers
  std::vector<std::vector<OperationId>> acks_;
};

TEST_F(ShardTest, AReplicaThatLagsMakesNobodyElseWait) {
  constexpr std::size_t gets = 10 * operations_max;
  for (OperationId operation = 1; operation <= gets; ++operation) get(operation);
  EXPECT_EQ(answered_ok(), gets);
  // What comes late finds its operation or nobody; either does no harm.
  for (Envelope& answer : std::exchange(held_, {})) shard_->receive(std::move(answer), now);
  settle();
  get(gets + 1);
  EXPECT_EQ(answered_ok(), gets + 1);
}

// Nodes may differ in their number of shards; a message goes to one of the receiver's.
TEST_F(ShardTest, WritesOfOneWakeUpAreAcknowledgedTogetherToEachShardThatAsked) {
  const auto of_shard = [](OperationId shard, OperationId number) {
    return shard << operation_shard_shift | number;
  };
  write_together({of_shard(1, 1), of_shard(2, 2), of_shard(1, 3)});
  EXPECT_EQ(acks_, (std::vector<std::vector<OperationId>>{{of_shard(1, 1), of_shard(1, 3)},
                                                          {of_shard(2, 2)}}));
}

}  // namespace
}  // namespace ringwright
