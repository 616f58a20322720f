// Writes of one key that meet on one replica: late, twice, in pieces, or in the middle of another.

#include "tests/simulation/scenario_support.h"

namespace ringwright {
namespace {

using namespace test;

MessageRule writes_between(const Simulation& world, NodeIndex source, NodeIndex target,
                           MessageRule::Action action) {
  MessageRule rule;
  rule.action = action;
  rule.source = world.endpoint_of(source);
  rule.target = world.endpoint_of(target);
  rule.type = "ReplicaWrite";
  return rule;
}

class LastWriteWins : public ScenarioTest {
 protected:
  SimulationOptions lww_options(std::uint64_t seed = 1) const {
    SimulationOptions changed = options(seed);
    changed.resolver = "lww";
    return changed;
  }
};
INSTANTIATE_TEST_SUITE_P(All, LastWriteWins, testing::ValuesIn(settings), setting_name);

TEST_P(LastWriteWins, LateOlderWriteNeverCoversANewerOne) {
  for (const bool removed : {false, true}) {
    SCOPED_TRACE(removed ? "the newer one is a removal" : "the newer one is a value");
    Scenario scenario(lww_options());
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    const RuleId late = world.add_rule(writes_between(world, a, c, MessageRule::Action::hold));
    scenario.put(a, cart, "milk");
    if (removed) {
      EXPECT_EQ(world.remove(b, cart, by_client(1)).outcome, Outcome::ok);
    } else {
      scenario.put(b, cart, "eggs", by_client(1));
    }
    world.run_for(milliseconds(100));
    const Values newer = removed ? Values{} : Values{"eggs"};
    ASSERT_TRUE(scenario.has_row(c, cart));
    ASSERT_EQ(scenario.stored(c, cart), newer);

    world.release(late);
    world.run_for(milliseconds(100));
    EXPECT_EQ(scenario.stored(c, cart), newer);

    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), newer);
  }
}

TEST_P(LastWriteWins, OlderWriteThatArrivesDuringAnOwnPutLoses) {
  for (int step = 0; step <= 40; ++step) {
    SCOPED_TRACE("released after " + std::to_string(step * 20) + " us");
    SimulationOptions exact = lww_options(static_cast<std::uint64_t>(step + 1));
    exact.network.delay_min = microseconds(1);
    exact.network.delay_mean = 0;
    Scenario scenario(exact);
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    const RuleId late = world.add_rule(writes_between(world, a, c, MessageRule::Action::hold));
    scenario.put(a, cart, "milk");

    world.at(world.now() + microseconds(20) * step, [&world, late] { world.release(late); });
    scenario.put(c, cart, "eggs", by_client(1));
    world.run_for(milliseconds(50));
    EXPECT_EQ(scenario.stored(c, cart), Values{"eggs"});

    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), Values{"eggs"});
  }
}

class OwnPut : public ScenarioTest {
 protected:
  // Exact delays, so that an instant between the own read and the own write can be aimed at.
  SimulationOptions exact_options(int step, bool inline_engine) const {
    SimulationOptions exact = options(static_cast<std::uint64_t>(step + 1));
    exact.network.delay_min = microseconds(1);
    exact.network.delay_mean = 0;
    exact.engine_times.read_max = microseconds(200);
    exact.engine_times.write_max = microseconds(400);
    exact.inline_engine = inline_engine;
    return exact;
  }
  // What `held` holds is let go a little before a coordinates `bread`, or while it does.
  static void put_while_it_arrives(Scenario& scenario, NodeIndex a, RuleId held, int step) {
    Simulation& world = scenario.world;
    world.faults(a)->set_probability(EngineFault::would_block, 0.5);
    world.at(world.now() + microseconds(20) * step, [&world, held] { world.release(held); });
    world.run_for(microseconds(300));
    scenario.put(a, cart, "bread", by_client(1));
    world.run_for(milliseconds(50));
    EXPECT_EQ(scenario.stored(a, cart), (Values{"bread", "eggs"})) << "on the coordinator itself";

    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), (Values{"bread", "eggs"}));
  }
  static constexpr int steps = 60;
};
INSTANTIATE_TEST_SUITE_P(All, OwnPut, testing::ValuesIn(settings), setting_name);

TEST_P(OwnPut, AnotherCoordinatorsRecordBetweenItsReadAndItsWriteIsNotLost) {
  for (int step = 0; step < 2 * steps; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    Scenario scenario(exact_options(step, step >= steps));
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    const RuleId held = world.add_rule(writes_between(world, b, a, MessageRule::Action::hold));
    scenario.put(b, cart, "eggs");
    put_while_it_arrives(scenario, a, held, step % steps);
  }
}

TEST_P(OwnPut, ReadRepairBetweenItsReadAndItsWriteIsNotLost) {
  for (int step = 0; step < 2 * steps; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    Scenario scenario(exact_options(step, step >= steps));
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    const RuleId missed = world.add_rule(writes_between(world, b, a, MessageRule::Action::drop));
    scenario.put(b, cart, "eggs");
    world.run_for(milliseconds(50));
    world.discard(missed);
    const RuleId held = world.add_rule(writes_between(world, c, a, MessageRule::Action::hold));
    scenario.get(c, cart);
    ASSERT_TRUE(scenario.run_until([&] { return world.matched(held) > 0; }));
    put_while_it_arrives(scenario, a, held, step % steps);
  }
}

TEST_P(OwnPut, SeveralOfOneWakeUpChainIntoOneBatch) {
  SimulationOptions exact = exact_options(0, false);
  exact.engine_times.read_max = milliseconds(20);  // all requests arrive during the first's read
  Scenario scenario(exact);
  Simulation& world = scenario.world;
  const NodeIndex a = scenario.nodes_of(cart)[0];
  const OperationResult milk = scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  const std::uint64_t batches = world.faults(a)->opportunities(EngineFault::write_refused);

  std::vector<OperationHandle> puts;
  for (const ByteView value : {"bread", "honey"})
    puts.push_back(world.start_put(a, cart, value, by_client(1)));
  for (const ByteView value : {"eggs", "flour"})
    puts.push_back(world.start_put(a, cart, value, with_context(milk.context, 2)));
  puts.push_back(world.start_remove(a, cart, with_context(milk.context, 3)));
  for (const OperationHandle put : puts) {
    ASSERT_TRUE(world.run_until_done(put));
    EXPECT_EQ(world.result(put).outcome, Outcome::ok) << to_text(world.result(put));
  }

  EXPECT_EQ(world.faults(a)->opportunities(EngineFault::write_refused), batches + 1);
  const Values expected = {"bread", "eggs", "flour", "honey"};
  EXPECT_EQ(scenario.stored(a, cart), expected);
  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), expected);
}

// c misses six siblings that together are several frames long; a reads, and repairs it.
class LargeRepair : public ScenarioTest {
 protected:
  struct Story {
    explicit Story(const SimulationOptions& options) : scenario(options) {
      const auto [first, second, third, d, e] = scenario.nodes_of(cart);
      a = first;
      b = second;
      c = third;
      scenario.isolate(c);
      for (int i = 0; i < 6; ++i) {
        expected.push_back(std::to_string(i) + Bytes(1500, 'x'));
        scenario.put(a, cart, expected.back(), by_client(static_cast<std::uint32_t>(i % 4)));
      }
      scenario.world.run_for(milliseconds(100));
      scenario.world.heal();
      scenario.let_views_settle();
      EXPECT_FALSE(scenario.has_row(c, cart));
    }
    MessageRule piece(MessageRule::Action action, std::uint64_t skip) const {
      MessageRule rule = writes_between(scenario.world, a, c, action);
      rule.type = "Fragment";
      rule.skip = skip;
      rule.count = 1;
      return rule;
    }
    void end() {
      EXPECT_EQ(scenario.judge(), nothing_wrong);
      EXPECT_EQ(scenario.final_values(cart), expected);
    }

    Scenario scenario;
    NodeIndex a, b, c;
    Values expected;
  };
  SimulationOptions small_frames() const {
    SimulationOptions small = options();
    small.frame_bytes_max = 4096;
    small.sloppy = false;
    return small;
  }
};
INSTANTIATE_TEST_SUITE_P(All, LargeRepair, testing::ValuesIn(settings), setting_name);

TEST_P(LargeRepair, IsAppliedOnlyOnceItsLatePieceIsThere) {
  for (std::uint64_t skip = 0; skip < 3; ++skip) {
    SCOPED_TRACE("piece " + std::to_string(skip));
    Story story(small_frames());
    Simulation& world = story.scenario.world;
    MessageRule late = story.piece(MessageRule::Action::delay, skip);
    late.delay = seconds(1);
    const RuleId rule = world.add_rule(late);
    story.scenario.get(story.a, cart);
    world.run_for(milliseconds(500));
    ASSERT_EQ(world.matched(rule), 1U);
    EXPECT_FALSE(story.scenario.has_row(story.c, cart));
    world.run_for(seconds(1));
    EXPECT_EQ(story.scenario.stored(story.c, cart), story.expected);
    story.end();
  }
}

TEST_P(LargeRepair, PiecesThatComeTwiceChangeNothing) {
  Story story(small_frames());
  Simulation& world = story.scenario.world;
  world.network().settings().duplication = 1;
  story.scenario.get(story.a, cart);
  world.run_for(seconds(1));
  EXPECT_EQ(story.scenario.stored(story.c, cart), story.expected);
  story.end();
}

TEST_P(LargeRepair, TransfersThatLackAPieceNeverMakeAWholeTogether) {
  Story story(small_frames());
  Simulation& world = story.scenario.world;
  for (std::uint64_t skip = 0; skip < 3; ++skip) {
    const RuleId rule = world.add_rule(story.piece(MessageRule::Action::drop, skip));
    story.scenario.get(story.a, cart);
    world.run_for(seconds(1));
    ASSERT_EQ(world.matched(rule), 1U);
    EXPECT_FALSE(story.scenario.has_row(story.c, cart)) << "without piece " << skip;
  }
  world.run_for(limits::transfer_deadline);
  EXPECT_FALSE(story.scenario.has_row(story.c, cart));
  story.scenario.get(story.a, cart);
  world.run_for(seconds(1));
  EXPECT_EQ(story.scenario.stored(story.c, cart), story.expected);
  story.end();
}

}  // namespace
}  // namespace ringwright
