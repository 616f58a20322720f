// Stand-ins: what they keep for an owner that is away, and how they give it back.

#include "tests/simulation/scenario_support.h"

namespace ringwright {
namespace {

using namespace test;

class StandIn : public ScenarioTest {};
INSTANTIATE_TEST_SUITE_P(All, StandIn, testing::ValuesIn(settings), setting_name);

// A row written while its engine is scanned for rows to deliver: the scan may have missed it.
TEST_P(StandIn, RowWrittenDuringAScanIsStillSeenAndDelivered) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Scenario scenario(options(seed));
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    scenario.isolate(a);
    scenario.let_views_settle();

    scenario.put(b, cart, "milk");
    world.run_for(seconds(1));
    ASSERT_EQ(scenario.stored(d, cart, RowKind::fallback), Values{"milk"});
    // Its own put must find the row, or it would write another over it.
    scenario.put(d, cart, "eggs", by_client(1));
    EXPECT_EQ(scenario.stored(d, cart, RowKind::fallback), (Values{"eggs", "milk"}));

    world.heal();
    EXPECT_TRUE(scenario.run_until([&] {
      return !scenario.has_row(d, cart, RowKind::fallback) &&
             scenario.stored(a, cart) == (Values{"eggs", "milk"});
    }));
    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), (Values{"eggs", "milk"}));
  }
}

// d delivers `milk`; while the last owner's answer is on its way, d alone accepts `eggs`.
TEST_P(StandIn, RowThatGrewSinceItsDeliveryStays) {
  SimulationOptions quick = options();
  quick.ping_interval = milliseconds(50);
  quick.suspect_after = milliseconds(200);
  Scenario scenario(quick);
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  scenario.cut(a, d);
  scenario.let_views_settle();
  scenario.put(d, cart, "milk");
  world.run_for(milliseconds(100));
  MessageRule answer;
  answer.source = world.endpoint_of(c);
  answer.target = world.endpoint_of(d);
  answer.type = "ReplicaWriteAcks";
  const RuleId last_answer = world.add_rule(answer);
  scenario.mend(a, d);
  ASSERT_TRUE(scenario.run_until([&] { return world.matched(last_answer) > 0; }));
  world.run_for(milliseconds(20));  // the others have answered

  scenario.cut(a, d);
  scenario.let_views_settle();
  MessageRule alone;
  alone.action = MessageRule::Action::drop;
  alone.source = world.endpoint_of(d);
  alone.type = "ReplicaWrite";
  const RuleId nobody_else = world.add_rule(alone);
  OperationOptions one = by_client(1);
  one.level = 1;
  scenario.put(d, cart, "eggs", one);
  world.release(last_answer);
  world.run_for(milliseconds(100));
  EXPECT_EQ(scenario.stored(d, cart, RowKind::fallback), (Values{"eggs", "milk"}));
  world.discard(nobody_else);

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), (Values{"eggs", "milk"}));
}

TEST_P(StandIn, KeepsItsRowUntilEveryOwnerHasItDurably) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  scenario.cut(a, d);
  scenario.let_views_settle();
  scenario.put(d, cart, "milk");
  world.faults(a)->set_probability(EngineFault::write_refused, 1);
  world.heal();
  world.run_for(seconds(5));
  EXPECT_TRUE(scenario.has_row(d, cart, RowKind::fallback));
  EXPECT_FALSE(scenario.has_row(a, cart));

  world.faults(a)->disarm();
  EXPECT_TRUE(scenario.run_until([&] {
    return !scenario.has_row(d, cart, RowKind::fallback) &&
           scenario.stored(a, cart) == Values{"milk"};
  }));
  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), Values{"milk"});
}

}  // namespace
}  // namespace ringwright
