#include "replication/node/node.h"

#include <gtest/gtest.h>

#include "engine/base/random.h"
#include "tests/unit/replication/ring/members.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using Kind = EngineWork::Kind;

constexpr Endpoint own_endpoint = 10;
constexpr std::uint64_t wall_us = 1'000'000'000;
constexpr Moment beginning{milliseconds(1), wall_us};
const Status failure{Code::io_error, "the disk failed"};

Moment later(Nanoseconds after) {
  return {beginning.now + after, beginning.wall_us + static_cast<std::uint64_t>(after / 1000)};
}

// Node 0 of three, at the endpoints 10 to 12.
class NodeByHand {
 public:
  explicit NodeByHand(Timestamp stored_bound = 0, std::uint32_t members = 3)
      : node(make(stored_bound, members)) {
    hear();
  }

  void tick(Moment moment = beginning) {
    node.tick(moment);
    hear();
  }
  void receive(Endpoint from, Message message, Timestamp stamp = 0, Moment moment = beginning) {
    node.receive({from, own_endpoint, stamp, std::move(message)}, moment);
    hear();
  }
  void end(const EngineWork& ended, Status status = {}, Moment moment = beginning) {
    EngineCompletion completion;
    completion.ticket = ended.ticket;
    completion.status = std::move(status);
    completion.sequence = ++sequence;
    node.complete(completion, moment);
    hear();
  }
  // The one piece of work that is waiting.
  EngineWork take() {
    EXPECT_EQ(work.size(), 1u);
    if (work.empty()) return {};
    EngineWork taken = std::move(work.front());
    work.erase(work.begin());
    return taken;
  }
  void renew(Moment moment = beginning) {
    end(take(), {}, moment);
    end(take(), {}, moment);
  }

  static Timestamp bound_in(const EngineWork& write) {
    if (write.batch.size() != 1) return 0;
    return Node::decode_clock_bound(write.batch.operations()[0].value).value();
  }
  Timestamp bound() const { return published.back()->clock_bound; }

  Node node;
  std::vector<EngineWork> work;
  std::vector<Envelope> messages;
  std::vector<std::shared_ptr<const NodeState>> published;
  std::uint64_t sequence = 40;

 private:
  static Node make(Timestamp stored_bound, std::uint32_t members) {
    auto ring =
        std::make_shared<const Ring>(Ring::make(1, testing::equal_members(members), 16).value());
    std::vector<Endpoint> endpoints;
    for (std::uint32_t i = 0; i < members; ++i) endpoints.push_back(own_endpoint + i);
    return {{own_endpoint, endpoints},
            std::make_unique<FixedMembership>(ring, 0, beginning.now),
            stored_bound};
  }
  void hear() {
    NodeOutput output = node.take_output();
    for (EngineWork& each : output.work) work.push_back(std::move(each));
    for (Envelope& each : output.messages) messages.push_back(std::move(each));
    if (output.published) published.push_back(std::move(output.published));
  }
};

TEST(NodeLease, StoredBoundIsAllThatIsKnownAtFirst) {
  NodeByHand node(timestamp_at(500));
  ASSERT_EQ(node.published.size(), 1u);
  EXPECT_EQ(node.bound(), timestamp_at(500));
  EXPECT_TRUE(node.work.empty());
  ASSERT_TRUE(node.published[0]->view);
}

TEST(NodeLease, IsPublishedOnlyOnceItIsDurable) {
  NodeByHand node;
  node.tick();
  const EngineWork write = node.take();
  EXPECT_EQ(write.kind, Kind::write);
  EXPECT_EQ(write.engine, system_engine);
  ASSERT_EQ(write.batch.size(), 1u);
  EXPECT_EQ(write.batch.operations()[0].key, Node::clock_bound_key());
  const Timestamp wanted = NodeByHand::bound_in(write);
  EXPECT_GT(wanted, timestamp_at(wall_us));
  EXPECT_LE(wall_us_of(wanted) - wall_us, limits::clock_ahead_us_max)
      << "stamps after a restart must be believed by peers";
  EXPECT_EQ(node.bound(), 0u);
  node.end(write);
  const EngineWork sync = node.take();
  EXPECT_EQ(sync.kind, Kind::sync);
  EXPECT_EQ(sync.sequence, 41u) << "of the write";
  EXPECT_NE(sync.ticket, write.ticket);
  EXPECT_EQ(node.bound(), 0u) << "not durable yet";
  node.end(sync);
  EXPECT_EQ(node.bound(), wanted);
}

TEST(NodeLease, OneRenewalIsUnderWayAtATime) {
  NodeByHand node;
  node.tick();
  const EngineWork write = node.take();
  node.tick(later(seconds(20)));
  EXPECT_TRUE(node.work.empty());
  node.end(write, {}, later(seconds(20)));
  const EngineWork sync = node.take();
  node.tick(later(seconds(20)));
  EXPECT_TRUE(node.work.empty());
  node.end(sync, {}, later(seconds(20)));
  EXPECT_EQ(node.bound(), NodeByHand::bound_in(write)) << "what was stored, not what is due now";
  node.tick(later(seconds(20)));
  EXPECT_EQ(node.work.size(), 1u);
}

TEST(NodeLease, AViewPublishedMeanwhileCarriesTheOldBound) {
  NodeByHand node;
  node.tick();
  const EngineWork write = node.take();
  node.node.unreachable(11, beginning);
  node.end(write);
  node.node.unreachable(12, beginning);
  const EngineWork sync = node.take();
  for (const auto& state : node.published) EXPECT_EQ(state->clock_bound, 0u);
  node.end(sync);
  EXPECT_GT(node.bound(), 0u);
}

TEST(NodeLease, AFailureOfEitherStepIsRetriedAfterAPauseAndPublishesNothing) {
  for (const bool sync_fails : {false, true}) {
    NodeByHand node;
    node.tick();
    if (sync_fails) node.end(node.take());
    const std::size_t published = node.published.size();
    node.end(node.take(), failure);
    EXPECT_EQ(node.published.size(), published);
    EXPECT_EQ(node.bound(), 0u);
    node.tick(later(milliseconds(199)));
    EXPECT_TRUE(node.work.empty()) << "not at once again";
    node.tick(later(milliseconds(200)));
    node.renew(later(milliseconds(200)));
    EXPECT_GT(node.bound(), timestamp_at(wall_us));
  }
}

TEST(NodeLease, IsRenewedWhenHalfOfItIsUsed) {
  NodeByHand node;
  node.tick();
  node.renew();
  const Timestamp first = node.bound();
  const std::uint64_t lease_us = wall_us_of(first) - wall_us;
  const auto half = microseconds(static_cast<std::int64_t>(lease_us / 2));
  node.tick(later(half));
  EXPECT_TRUE(node.work.empty());
  node.tick(later(half + milliseconds(1)));
  node.renew(later(half + milliseconds(1)));
  EXPECT_GT(node.bound(), first);
}

// It has nobody to ping, so nothing but the lease itself wakes it.
TEST(NodeLease, IsRenewedByANodeThatIsAlone) {
  NodeByHand hand(0, 1);
  hand.tick();
  hand.renew();
  Moment moment = beginning;
  for (int i = 0; i < 100; ++i) {
    ASSERT_LT(hand.node.next_deadline(), never);
    moment = later(hand.node.next_deadline() - beginning.now);
    ASSERT_LT(timestamp_at(moment.wall_us), hand.bound()) << "look " << i;
    hand.tick(moment);
    if (!hand.work.empty()) hand.renew(moment);
  }
  EXPECT_GT(moment.now, beginning.now + seconds(10));
}

TEST(NodeLease, FollowsAShardWhoseClockWasMovedAhead) {
  NodeByHand node;
  node.tick();
  node.renew();
  const Timestamp near = node.bound() - 1;
  node.receive(own_endpoint, Ping{}, near);
  EXPECT_TRUE(node.messages.empty() || !std::holds_alternative<Pong>(node.messages.back().message));
  node.renew();
  // Shards tell when less than the margin is left: a renewal must leave more than that.
  EXPECT_GT(node.bound(), timestamp_at(wall_us_of(near) + clock_margin_us));
}

TEST(NodeLease, KeepsTheFarthestThatAShardToldOfWhileItIsRenewed) {
  NodeByHand node;
  node.tick();
  const Timestamp far = timestamp_at(wall_us + 4'000'000);
  node.receive(own_endpoint, Ping{}, far);
  node.receive(own_endpoint, Ping{}, 1);
  node.renew();
  node.tick();
  node.renew();
  EXPECT_GT(node.bound(), far);
}

TEST(NodeLease, ARestartRenewsAtOnceAndAboveWhatWasStored) {
  NodeByHand before;
  before.tick();
  before.renew();
  Timestamp stored = before.bound();
  for (int restart = 0; restart < 3; ++restart) {
    NodeByHand node(stored);
    EXPECT_EQ(node.bound(), stored);
    node.tick();
    ASSERT_EQ(node.work.size(), 1u) << "though the stored bound is far ahead";
    node.renew();
    EXPECT_GE(node.bound(), stored + timestamp_at(clock_margin_us));
    EXPECT_LE(wall_us_of(node.bound()) - wall_us, limits::clock_ahead_us_max);
    node.tick();
    EXPECT_TRUE(node.work.empty()) << "once";
    stored = node.bound();
  }
}

TEST(NodeLease, AWallClockThatSteppedBackDoesNotTakeItBack) {
  NodeByHand node;
  node.tick();
  node.renew();
  const Timestamp bound = node.bound();
  node.tick({later(seconds(1)).now, 5});
  EXPECT_TRUE(node.work.empty());
  EXPECT_EQ(node.bound(), bound);
}

// Whatever fails and however time goes: what is published was synced before, and never falls.
TEST(NodeLease, PublishedBoundIsAlwaysDurable) {
  for (const std::uint64_t seed : test::seeds(300)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "lease");
    Timestamp durable = random.chance(0.5) ? 0 : timestamp_at(wall_us);
    NodeByHand node(durable);
    Timestamp written = durable;
    Nanoseconds passed = 0;
    for (int step = 0; step < 80; ++step) {
      passed += milliseconds(random.between(0, 700));
      const Moment moment = later(passed);
      const Timestamp before = node.bound();
      if (!node.work.empty() && random.chance(0.7)) {
        const EngineWork work = node.take();
        const bool fails = random.chance(0.3);
        if (!fails && work.kind == Kind::write) written = NodeByHand::bound_in(work);
        if (!fails && work.kind == Kind::sync) durable = written;
        node.end(work, fails ? failure : Status{}, moment);
      } else if (random.chance(0.2)) {
        node.receive(own_endpoint, Ping{}, timestamp_at(moment.wall_us + random.below(2'000'000)),
                     moment);
      } else {
        node.tick(moment);
      }
      ASSERT_LE(node.work.size(), 1u);
      ASSERT_LE(node.bound(), durable);
      ASSERT_GE(node.bound(), before);
    }
    ASSERT_GT(node.bound(), timestamp_at(wall_us));
  }
}

TEST(NodeBound, GoldenBytesUnderASystemKey) {
  EXPECT_EQ(Node::clock_bound_key(), Bytes(1, '\0') + "clock_bound");
  const Bytes bytes = Node::encode_clock_bound(0x0102030405060708);
  EXPECT_EQ(to_hex(bytes),
            "01"
            "0807060504030201");
  EXPECT_EQ(Node::decode_clock_bound(bytes).value(), 0x0102030405060708u);
}

TEST(NodeBound, AnythingElseIsCorruptAndNeverZero) {
  const Bytes bytes = Node::encode_clock_bound(7);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(Node::decode_clock_bound(bytes.substr(0, size)).status().code(), Code::corrupt);
  EXPECT_EQ(Node::decode_clock_bound(bytes + "x").status().code(), Code::corrupt);
  EXPECT_EQ(Node::decode_clock_bound("\x02" + bytes.substr(1)).status().code(), Code::corrupt);
}

TEST(NodeMembers, ArePingedAndAnswered) {
  NodeByHand node;
  node.tick();
  ASSERT_EQ(node.messages.size(), 2u);
  for (const Envelope& ping : node.messages) {
    EXPECT_TRUE(std::holds_alternative<Ping>(ping.message));
    EXPECT_EQ(ping.source, own_endpoint);
  }
  EXPECT_EQ(node.messages[0].target, 11u);
  EXPECT_EQ(node.messages[1].target, 12u);
  node.messages.clear();
  node.receive(12, Ping{});
  ASSERT_EQ(node.messages.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Pong>(node.messages[0].message));
  EXPECT_EQ(node.messages[0].target, 12u);
  node.receive(12, Pong{});
  EXPECT_EQ(node.messages.size(), 1u) << "a pong is not answered";
}

TEST(NodeMembers, EachChangeIsAViewOfItsOwnAndNoChangeIsNone) {
  NodeByHand node;
  const auto first = node.published.back()->view;
  node.receive(11, Pong{});
  EXPECT_EQ(node.published.size(), 1u);
  node.node.unreachable(11, beginning);
  node.tick();
  ASSERT_EQ(node.published.size(), 2u);
  const auto second = node.published.back()->view;
  EXPECT_GT(second->version, first->version);
  EXPECT_EQ(first->alive(), (std::vector<bool>{true, true, true}));
  EXPECT_EQ(second->alive(), (std::vector<bool>{true, false, true}));
  node.receive(11, Pong{});
  EXPECT_EQ(node.published.back()->view->alive(), first->alive());
}

TEST(NodeMembers, SilenceIsSeenByTheTick) {
  NodeByHand node;
  node.receive(12, Pong{}, 0, later(limits::suspect_after / 2));
  node.tick(later(limits::suspect_after));
  EXPECT_EQ(node.published.back()->view->alive(), (std::vector<bool>{true, false, true}));
  EXPECT_GT(node.node.next_deadline(), later(limits::suspect_after).now);
}

TEST(NodeMembers, StrangersAndItselfChangeNothing) {
  NodeByHand node;
  node.node.unreachable(own_endpoint, beginning);
  node.node.unreachable(77, beginning);
  node.node.heard_from(77, beginning);
  node.receive(own_endpoint, Ping{});
  EXPECT_EQ(node.published.size(), 1u);
  for (const Envelope& sent : node.messages)
    EXPECT_FALSE(std::holds_alternative<Pong>(sent.message));
}

}  // namespace
}  // namespace ringwright
