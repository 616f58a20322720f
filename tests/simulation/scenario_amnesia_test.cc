// A node that has forgotten some of what it once said, and coordinates again.

#include "tests/simulation/scenario_support.h"

namespace ringwright {
namespace {

using namespace test;

class Amnesia : public ScenarioTest {};
INSTANTIATE_TEST_SUITE_P(All, Amnesia, testing::ValuesIn(settings), setting_name);

TEST_P(Amnesia, PowerCutBeforeTheOwnSyncLosesNothingThatOthersAcknowledged) {
  int forgotten = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulationOptions slow_disks = options(seed);
    slow_disks.engine_times.sync_max = milliseconds(40);
    Scenario scenario(slow_disks);
    Simulation& world = scenario.world;
    const NodeIndex a = scenario.nodes_of(cart)[0];

    scenario.put(a, cart, "milk");
    world.power_cut(a);
    ASSERT_TRUE(world.restart(a).is_ok());
    if (!scenario.has_row(a, cart)) ++forgotten;
    world.run_for(seconds(1));
    scenario.put(a, cart, "eggs", by_client(1));

    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), (Values{"eggs", "milk"}));
  }
  // Else it was never shown what the test is about.
  EXPECT_GT(forgotten, 2);
}

TEST_P(Amnesia, StandInThatHandedItsCopyOffTakesANewNameForItsNextWrite) {
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted ? "restarted in between" : "in one run");
    Scenario scenario(options());
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);

    scenario.cut(a, d);
    scenario.let_views_settle();
    const OperationResult first = scenario.put(d, cart, "milk");
    ASSERT_EQ(scenario.stored(d, cart, RowKind::fallback), Values{"milk"});
    scenario.mend(a, d);
    ASSERT_TRUE(scenario.run_until([&] { return !scenario.has_row(d, cart, RowKind::fallback); }));
    ASSERT_EQ(scenario.stored(a, cart), Values{"milk"});
    if (restarted) {
      ASSERT_TRUE(world.restart(d).is_ok());
    }

    scenario.cut(a, d);
    scenario.let_views_settle();
    const OperationResult second = scenario.put(d, cart, "eggs", by_client(1));
    ASSERT_EQ(scenario.stored(d, cart, RowKind::fallback), Values{"eggs"});
    EXPECT_NE(first.dot.actor, second.dot.actor);

    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), (Values{"eggs", "milk"}));
  }
}

TEST_P(Amnesia, NewValueSurvivesATombstoneThatOnlyOneReplicaStillHas) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);

  const OperationResult old_value = scenario.put(a, cart, "milk");
  ASSERT_EQ(world.remove(a, cart, with_context(old_value.context)).outcome, Outcome::ok);
  world.run_for(seconds(1));
  ASSERT_TRUE(scenario.has_row(b, cart));
  for (const NodeIndex node : {a, c}) {
    world.wipe(node);
    ASSERT_TRUE(world.restart(node).is_ok());
  }
  scenario.isolate(b);
  scenario.let_views_settle();
  ASSERT_FALSE(scenario.has_row(a, cart));

  scenario.put(a, cart, "eggs", by_client(1));
  world.heal();
  scenario.let_views_settle();
  EXPECT_EQ(values_of(scenario.get(b, cart, 3).siblings), Values{"eggs"});

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), Values{"eggs"});
}

// `milk` is everywhere, `eggs` on a and b; a loses its disk and gets `milk` back from c.
TEST_P(Amnesia, OlderCopyThatCameBackFromAPeerDoesNotRepeatWhatTheLostOneSaid) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);

  const OperationResult milk = scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  scenario.isolate(c);
  scenario.put(a, cart, "eggs", with_context(milk.context));
  ASSERT_TRUE(scenario.run_until([&] { return scenario.stored(b, cart) == Values{"eggs"}; }));
  world.wipe(a);
  ASSERT_TRUE(world.restart(a).is_ok());
  world.heal();
  scenario.isolate(b);
  world.run_for(milliseconds(200));
  scenario.get(c, cart);
  ASSERT_TRUE(scenario.run_until([&] { return scenario.stored(a, cart) == Values{"milk"}; }));

  scenario.put(a, cart, "bread", by_client(1));

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), (Values{"bread", "eggs"}));
}

// The engine of a goes back to an earlier row under the running process; c knows one of the lost
// writes and b both.
TEST_P(Amnesia, CopyThatFellBehindItsOwnDotsTakesANewNameOncePeersShowIt) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);

  scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  const Bytes earlier = (*world.stored_row(a, cart))->bytes;
  scenario.put(a, cart, "eggs", by_client(1));
  world.run_for(milliseconds(100));
  MessageRule missed;
  missed.action = MessageRule::Action::drop;
  missed.source = world.endpoint_of(a);
  missed.target = world.endpoint_of(c);
  missed.type = "ReplicaWrite";
  const RuleId rule = world.add_rule(missed);
  scenario.put(a, cart, "bread", by_client(2));
  world.run_for(milliseconds(100));
  world.discard(rule);
  ASSERT_TRUE(world.overwrite_row(a, cart, earlier).is_ok());
  scenario.isolate(b);
  scenario.get(c, cart);
  ASSERT_TRUE(scenario.run_until([&] {
    return scenario.stored(a, cart) == (Values{"eggs", "milk"});
  }));

  scenario.put(a, cart, "honey", by_client(3));

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), (Values{"bread", "eggs", "honey", "milk"}));
}

TEST_P(Amnesia, TwoProcessesOnOneClonedDirectoryNeverShareADot) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const NodeIndex a = scenario.nodes_of(cart)[0];
  scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  world.stop(a);
  const NodeIndex copy = world.clone(a);
  ASSERT_TRUE(world.restart(a).is_ok());
  world.run_for(seconds(1));

  Values expected = {"milk"};
  for (int round = 0; round < 5; ++round) {
    std::vector<OperationHandle> puts;
    for (const NodeIndex node : {a, copy}) {
      expected.push_back("from " + std::to_string(node) + " in " + std::to_string(round));
      puts.push_back(world.start_put(node, cart, expected.back(), by_client(node == a ? 1 : 2)));
    }
    for (const OperationHandle put : puts) {
      ASSERT_TRUE(world.run_until_done(put, world.now() + seconds(5)));
      EXPECT_EQ(world.result(put).outcome, Outcome::ok) << to_text(world.result(put));
    }
  }

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(scenario.final_values(cart), expected);
}

TEST_P(Amnesia, RestoredBackupCoordinatesAtOnceWithoutRepeatingADot) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const NodeIndex a = scenario.nodes_of(cart)[0];
  const OperationResult milk = scenario.put(a, cart, "milk");
  world.stop(a);
  const std::size_t backup = world.backup(a);
  ASSERT_TRUE(world.restart(a).is_ok());
  world.run_for(seconds(1));
  scenario.put(a, cart, "eggs", with_context(milk.context));
  scenario.put(a, cart, "bread", by_client(1));
  world.run_for(milliseconds(100));

  world.restore(a, backup);
  ASSERT_TRUE(world.restart(a).is_ok());
  ASSERT_EQ(scenario.stored(a, cart), Values{"milk"});
  OperationOptions at_once = by_client(2);
  at_once.retry_through.assign(100, a);  // until the clock is leased
  scenario.put(a, cart, "honey", at_once);

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), (Values{"bread", "eggs", "honey"}));
}

}  // namespace
}  // namespace ringwright
