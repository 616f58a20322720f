// What clients see: siblings and contexts, retries, quorums that cannot be met, removals, expiry.

#include <set>

#include "tests/simulation/scenario_support.h"

namespace ringwright {
namespace {

using namespace test;

class Clients : public ScenarioTest {};
INSTANTIATE_TEST_SUITE_P(All, Clients, testing::ValuesIn(settings), setting_name);

// A set of words as a value: the sorted words with a blank after each.
std::set<Bytes> words_in(ByteView value) {
  std::set<Bytes> words;
  for (std::size_t end = value.find(' '); end != ByteView::npos; end = value.find(' ')) {
    words.emplace(value.substr(0, end));
    value.remove_prefix(end + 1);
  }
  return words;
}

std::set<Bytes> words_in(const std::vector<ShownSibling>& siblings) {
  std::set<Bytes> words;
  for (const ShownSibling& sibling : siblings) words.merge(words_in(sibling.value));
  return words;
}

Bytes value_of(const std::set<Bytes>& words) {
  Bytes value;
  for (const Bytes& word : words) value += word + " ";
  return value;
}

TEST_P(Clients, TwoThatMergeOneWriteBehindNeverSeeMoreThanTwoSiblings) {
  for (const bool through_two_nodes : {false, true}) {
    SCOPED_TRACE(through_two_nodes ? "through two nodes" : "through one node");
    Scenario scenario(options());
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    const std::array<NodeIndex, 2> nodes = {a, through_two_nodes ? b : a};
    std::array<OperationResult, 2> read = {scenario.get(a, cart), scenario.get(b, cart)};
    std::set<Bytes> all;
    for (std::uint32_t add = 0; add < 100; ++add) {
      const std::uint32_t client = add % 2;
      std::set<Bytes> words = words_in(read[client].siblings);
      words.insert("word" + std::to_string(add));
      all.insert("word" + std::to_string(add));
      scenario.put(nodes[client], cart, value_of(words),
                   with_context(read[client].context, client));
      read[client] = scenario.get(nodes[client], cart);
      EXPECT_LE(scenario.get(c, cart, 3).siblings.size(), 2U) << "after add " << add;
    }
    EXPECT_EQ(words_in(scenario.get(a, cart, 3).siblings), all);
    EXPECT_LE((*world.stored_row(a, cart))->row.record.vector.size(), 4U);
    EXPECT_EQ(scenario.judge(), nothing_wrong);
  }
}

// A client's next put covers what the client wrote, and nothing that it has not read.
TEST_P(Clients, TwoPutsInARowDiscardNothingUnread) {
  Scenario scenario(options());
  const NodeIndex a = scenario.nodes_of(cart)[0];
  scenario.put(a, cart, "milk", by_client(0));
  OperationOptions remembering = by_client(1);
  remembering.remembered = true;
  for (int i = 0; i < 20; ++i) scenario.put(a, cart, "eggs " + std::to_string(i), remembering);

  EXPECT_EQ(values_of(scenario.get(a, cart, 3).siblings), (Values{"eggs 19", "milk"}));
  EXPECT_EQ(scenario.judge(), nothing_wrong);
}

TEST_P(Clients, RetryThroughAnotherNodeShowsOneValue) {
  for (const bool had_arrived : {false, true}) {
    SCOPED_TRACE(had_arrived ? "the first try reached everybody" : "it reached its own node only");
    Scenario scenario(options());
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    MessageRule rule;
    rule.action = MessageRule::Action::drop;
    rule.source = world.endpoint_of(a);
    rule.type = had_arrived ? "ClientReply" : "ReplicaWrite";
    const RuleId cut_off = world.add_rule(rule);
    OperationOptions retrying;
    retrying.retry_through = {b};
    EXPECT_EQ(scenario.put(a, cart, "milk", retrying).tries, 2U);
    world.discard(cut_off);

    const OperationResult read = scenario.get(c, cart, 3);
    EXPECT_EQ(values_of(read.siblings), Values{"milk"});
    world.run_for(milliseconds(100));
    EXPECT_EQ(scenario.stored(c, cart), had_arrived ? Values{"milk"} : (Values{"milk", "milk"}));
    scenario.put(a, cart, "eggs", with_context(read.context));
    EXPECT_EQ(values_of(scenario.get(c, cart, 3).siblings), Values{"eggs"});
    EXPECT_EQ(scenario.judge(), nothing_wrong);
  }
}

// A node that keeps no copy sends the put on, the link delivers that twice, and the owner cannot
// write at first: what was answered `failed` must not be there in the end.
TEST_P(Clients, FailedPutDoesNotTakeEffectWhenItsRepeatArrives) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Scenario scenario(options(seed));
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    scenario.put(a, cart, "milk");
    const bool restarted = seed % 2 == 0;
    if (!restarted) world.network().settings().duplication = 1;
    world.network().settings().replay = 1;
    world.faults(a)->fail_next(EngineFault::write_refused, 1, [](ByteView) { return true; });
    const OperationResult refused = world.put(e, cart, "eggs", by_client(1));
    EXPECT_EQ(refused.outcome, Outcome::failed) << to_text(refused);
    if (restarted) {
      EXPECT_TRUE(world.restart(a).is_ok());
    }
    world.run_for(seconds(25));

    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), Values{"milk"});
  }
}

TEST_P(Clients, BothSidesOfAPartitionAcceptAndBothValuesStay) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  world.partition({{a, d}, {b, c, e}});
  scenario.let_views_settle();
  OperationOptions here = by_client(0), there = by_client(1);
  here.level = there.level = 1;
  const OperationResult milk = scenario.put(a, cart, "milk", here);
  const OperationResult eggs = scenario.put(b, cart, "eggs", there);
  world.heal();
  scenario.let_views_settle();

  const OperationResult read = scenario.get(e, cart, 3);
  EXPECT_EQ(values_of(read.siblings), (Values{"eggs", "milk"}));
  const auto context = decode_context(read.context);
  ASSERT_TRUE(context.has_value());
  EXPECT_TRUE(context->vector.covers(milk.dot));
  EXPECT_TRUE(context->vector.covers(eggs.dot));
  EXPECT_NE(milk.dot.actor, eggs.dot.actor);
  EXPECT_EQ(scenario.judge(), nothing_wrong);
}

TEST_P(Clients, RemovedKeyShowsNothingAndStillGivesAContext) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  const OperationResult milk = scenario.put(a, cart, "milk");
  const OperationResult removed = world.remove(b, cart, with_context(milk.context));
  ASSERT_EQ(removed.outcome, Outcome::ok) << to_text(removed);

  const OperationResult read = scenario.get(c, cart, 3);
  EXPECT_TRUE(read.siblings.empty());
  const auto context = decode_context(read.context);
  ASSERT_TRUE(context.has_value());
  EXPECT_TRUE(context->vector.covers(milk.dot));
  EXPECT_TRUE(context->vector.covers(removed.dot));
  const auto never_written = decode_context(scenario.get(a, "nothing").context);
  ASSERT_TRUE(never_written.has_value());
  EXPECT_TRUE(never_written->vector.empty());

  scenario.put(a, cart, "eggs", with_context(read.context));
  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), Values{"eggs"});
}

// Speaks to nodes directly, for what the scripted clients do not ask.
class PlainClient {
 public:
  explicit PlainClient(Simulation& world) : world_(world) {
    world.network().attach(endpoint, [this](const Envelope& envelope) {
      if (const auto* reply = std::get_if<ClientReply>(&envelope.message)) reply_ = *reply;
    });
  }
  ~PlainClient() { world_.network().detach(endpoint); }
  PlainClient(const PlainClient&) = delete;
  PlainClient& operator=(const PlainClient&) = delete;

  ClientReply ask(NodeIndex node, Message request) {
    reply_.reset();
    world_.network().send({endpoint, world_.endpoint_of(node), 0, std::move(request)});
    const Instant end = world_.now() + seconds(5);
    while (!reply_ && world_.now() < end) world_.run_for(microseconds(200));
    EXPECT_TRUE(reply_.has_value());
    return reply_ ? *reply_ : ClientReply{};
  }

 private:
  static constexpr Endpoint endpoint = 30'000;
  Simulation& world_;
  std::optional<ClientReply> reply_;
};

TEST_P(Clients, ExpiredValueIsARemovalEverywhereAtTheSameInstant) {
  SimulationOptions skewed = options();
  skewed.clock_skew_max = milliseconds(5);
  Scenario scenario(skewed);
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  PlainClient client(world);
  PutRequest put;
  put.operation = 1;
  put.keyspace = "default";
  put.key = cart;
  put.value = "milk";
  put.ttl_us = 3'000'000;
  put.timeout = seconds(1);
  const Instant written = world.now();
  const ClientReply reply = client.ask(a, put);
  ASSERT_EQ(reply.outcome, Outcome::ok) << reply.message;

  world.run_until(written + seconds(3) - milliseconds(50));
  for (const NodeIndex node : {a, b, c, d, e})
    EXPECT_EQ(values_of(scenario.get(node, cart, 3).siblings), Values{"milk"}) << "node " << node;
  world.run_until(written + seconds(3) + milliseconds(50));
  for (const NodeIndex node : {a, b, c, d, e}) {
    const OperationResult read = scenario.get(node, cart, 3);
    EXPECT_TRUE(read.siblings.empty()) << "node " << node;
    const auto context = decode_context(read.context);
    ASSERT_TRUE(context.has_value());
    EXPECT_TRUE(context->vector.covers(reply.dot));
  }
}

class Quorums : public ScenarioTest {
 protected:
  SimulationOptions strict_options() const {
    SimulationOptions strict = options();
    strict.sloppy = false;
    return strict;
  }
};
INSTANTIATE_TEST_SUITE_P(All, Quorums, testing::ValuesIn(settings), setting_name);

TEST_P(Quorums, ReadOfAllWithOneCutOffNamesRequiredAndReceived) {
  Scenario scenario(strict_options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  scenario.isolate(c);

  const OperationResult unnoticed = world.get(a, cart, with_level(3));
  EXPECT_EQ(unnoticed.outcome, Outcome::failed);
  EXPECT_EQ(unnoticed.code, Code::timed_out) << to_text(unnoticed);
  EXPECT_EQ(unnoticed.required, 3U);
  EXPECT_EQ(unnoticed.received, 2U);
  scenario.let_views_settle();
  const OperationResult noticed = world.get(a, cart, with_level(3));
  EXPECT_EQ(noticed.outcome, Outcome::failed);
  EXPECT_EQ(noticed.code, Code::unavailable) << to_text(noticed);
  EXPECT_EQ(noticed.required, 3U);
  EXPECT_EQ(noticed.received, 2U);
  EXPECT_EQ(values_of(scenario.get(a, cart).siblings), Values{"milk"});
  EXPECT_EQ(scenario.judge(), nothing_wrong);
}

TEST_P(Quorums, StrictKeyspaceRefusesWhereASloppyOneAccepts) {
  for (const bool sloppy : {false, true}) {
    SCOPED_TRACE(sloppy ? "sloppy" : "strict");
    SimulationOptions chosen = options();
    chosen.sloppy = sloppy;
    Scenario scenario(chosen);
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    world.partition({{a, d, e}, {b, c}});
    scenario.let_views_settle();
    const OperationResult put = world.put(a, cart, "milk");
    EXPECT_EQ(put.outcome, sloppy ? Outcome::ok : Outcome::failed) << to_text(put);
    if (!sloppy) {
      EXPECT_EQ(put.code, Code::unavailable);
      EXPECT_EQ(put.required, 2U);
      EXPECT_EQ(put.received, 1U);
      EXPECT_EQ(scenario.writes_sent(a, cart), 0U);
      EXPECT_FALSE(scenario.has_row(a, cart));
    }
    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), sloppy ? Values{"milk"} : Values{});
  }
}

TEST_P(Quorums, PutThroughANodeWithoutACopyIsCoordinatedByOneThatHasOne) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  const OperationResult put = scenario.put(e, cart, "milk");
  const auto row = world.stored_row(a, cart);
  ASSERT_TRUE(row.has_value() && row->has_value());
  ASSERT_TRUE((*row)->row.mark.has_value()) << "the first owner coordinates";
  EXPECT_EQ(*(*row)->row.mark, put.dot.actor);
  EXPECT_FALSE(scenario.has_row(e, cart) || scenario.has_row(e, cart, RowKind::fallback));
  EXPECT_EQ(scenario.writes_sent(e, cart), 0U);

  // The node that keeps the key is gone before it can answer: nobody knows what became of it.
  MessageRule lost;
  lost.action = MessageRule::Action::drop;
  lost.source = world.endpoint_of(a);
  lost.target = world.endpoint_of(e);
  lost.type = "ClientReply";
  const RuleId rule = world.add_rule(lost);
  const OperationResult unanswered = world.put(e, cart, "eggs", by_client(1));
  EXPECT_EQ(unanswered.outcome, Outcome::unknown) << to_text(unanswered);
  world.discard(rule);

  // Nor is it for long that a node which has restarted takes what is sent on for a repeat.
  ASSERT_TRUE(world.restart(a).is_ok());
  world.run_for(seconds(3));
  scenario.put(e, cart, "bread", by_client(2));

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), (Values{"bread", "eggs", "milk"}));
}

}  // namespace
}  // namespace ringwright
