// The coordinator's own copy: a write of it that is refused or in doubt, a read of it that fails,
// bytes of it that are damaged.

#include "tests/simulation/scenario_support.h"

namespace ringwright {
namespace {

using namespace test;

FaultPlan::KeyPredicate row_of(ByteView key) {
  return [stored = storage_key(RowKind::data, key)](ByteView touched) { return touched == stored; };
}

class OwnCopy : public ScenarioTest {};
INSTANTIATE_TEST_SUITE_P(All, OwnCopy, testing::ValuesIn(settings), setting_name);

TEST_P(OwnCopy, RefusedOwnWriteFailsThePutAndNothingIsSent) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  const std::size_t sent = scenario.writes_sent(a, cart);

  world.faults(a)->fail_next(EngineFault::write_refused, 1, row_of(cart));
  const OperationResult refused = world.put(a, cart, "eggs", by_client(1));
  world.run_for(seconds(2));

  EXPECT_EQ(refused.outcome, Outcome::failed) << to_text(refused);
  EXPECT_EQ(refused.code, Code::busy);
  EXPECT_EQ(scenario.writes_sent(a, cart), sent);
  for (const NodeIndex node : {a, b, c}) EXPECT_EQ(scenario.stored(node, cart), Values{"milk"});
  scenario.put(a, cart, "bread", by_client(2));

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), (Values{"bread", "milk"}));
}

TEST_P(OwnCopy, OwnWriteInDoubtIsUnknownAndItsDotIsNeverUsedAgain) {
  for (const EngineFault fault :
       {EngineFault::write_doubtful_kept, EngineFault::write_doubtful_lost}) {
    SCOPED_TRACE(engine_fault_name(fault));
    Scenario scenario(options());
    Simulation& world = scenario.world;
    const NodeIndex a = scenario.nodes_of(cart)[0];
    const OperationResult milk = scenario.put(a, cart, "milk");
    world.run_for(seconds(1));
    const std::size_t sent = scenario.writes_sent(a, cart);

    world.faults(a)->fail_next(fault, 1, row_of(cart));
    const OperationResult doubtful = world.put(a, cart, "eggs", by_client(1));
    world.run_for(milliseconds(100));
    EXPECT_EQ(doubtful.outcome, Outcome::unknown) << to_text(doubtful);
    EXPECT_EQ(doubtful.code, Code::in_doubt);
    EXPECT_EQ(scenario.writes_sent(a, cart), sent);

    const OperationResult bread = scenario.put(a, cart, "bread", by_client(2));
    EXPECT_NE(bread.dot.actor, milk.dot.actor) << "a name from before the doubt was used again";
    scenario.put(a, cart, "honey", by_client(3));

    EXPECT_EQ(scenario.judge(), nothing_wrong);
    Values expected = {"bread", "honey", "milk"};
    if (fault == EngineFault::write_doubtful_kept) expected.insert(expected.begin() + 1, "eggs");
    EXPECT_EQ(scenario.final_values(cart), expected);
  }
}

// `eggs` is on a alone, so a copy of a that reads as absent would lose it.
TEST_P(OwnCopy, ReadErrorIsNeverTakenForAbsence) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  scenario.put(b, cart, "milk");
  world.run_for(seconds(1));
  MessageRule alone;
  alone.action = MessageRule::Action::drop;
  alone.source = world.endpoint_of(a);
  alone.type = "ReplicaWrite";
  const RuleId rule = world.add_rule(alone);
  OperationOptions one = by_client(1);
  one.level = 1;
  scenario.put(a, cart, "eggs", one);
  world.discard(rule);

  world.faults(a)->set_probability(EngineFault::read_fails, 1);
  EXPECT_EQ(values_of(scenario.get(a, cart).siblings), Values{"milk"});
  const OperationResult from_all = world.get(a, cart, with_level(3));
  EXPECT_EQ(from_all.outcome, Outcome::failed) << to_text(from_all);
  const std::size_t sent = scenario.writes_sent(a, cart);
  const OperationResult refused = world.put(a, cart, "bread", by_client(2));
  EXPECT_EQ(refused.outcome, Outcome::failed) << to_text(refused);
  EXPECT_EQ(refused.code, Code::io_error);
  EXPECT_EQ(scenario.writes_sent(a, cart), sent);
  OperationOptions elsewhere = by_client(3);
  elsewhere.retry_through = {b};
  EXPECT_EQ(scenario.put(a, cart, "honey", elsewhere).tries, 2U);

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), (Values{"eggs", "honey", "milk"}));
}

class DamagedCopy : public OwnCopy {
 protected:
  // Every byte of a's row changed.
  static void damage(Scenario& scenario, NodeIndex node) {
    Bytes bytes = (*scenario.world.stored_row(node, cart))->bytes;
    for (char& byte : bytes) byte = static_cast<char>(byte ^ 0x55);
    ASSERT_TRUE(scenario.world.overwrite_row(node, cart, bytes).is_ok());
  }
};
INSTANTIATE_TEST_SUITE_P(All, DamagedCopy, testing::ValuesIn(settings), setting_name);

TEST_P(DamagedCopy, IsReportedServedByTheOthersAndHealedByARead) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  damage(scenario, a);
  ASSERT_EQ(world.counters()["ringwright_corrupt_records_total"], 0U);

  EXPECT_EQ(values_of(scenario.get(a, cart).siblings), Values{"milk"});
  EXPECT_GE(world.counters()["ringwright_corrupt_records_total"], 1U);
  EXPECT_TRUE(scenario.run_until([&] { return scenario.stored(a, cart) == Values{"milk"}; }));
  EXPECT_FALSE((*world.stored_row(a, cart))->row.is_damaged());

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), Values{"milk"});
}

// Whoever healed without having heard c would throw away what only a and c had.
TEST_P(DamagedCopy, IsNotReplacedWhileAnotherOwnerIsSilent) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  const Bytes whole = (*world.stored_row(a, cart))->bytes;
  damage(scenario, a);
  scenario.isolate(c);
  scenario.get(b, cart, 1);
  world.run_for(seconds(3));

  EXPECT_TRUE((*world.stored_row(a, cart))->row.is_damaged());
  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), Values{"milk"});
}

TEST_P(DamagedCopy, CannotCoordinateButAnotherNodeCan) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const auto [a, b, c, d, e] = scenario.nodes_of(cart);
  scenario.put(a, cart, "milk");
  world.run_for(seconds(1));
  damage(scenario, a);
  const std::size_t sent = scenario.writes_sent(a, cart);

  const OperationResult refused = world.put(a, cart, "eggs", by_client(1));
  EXPECT_EQ(refused.outcome, Outcome::failed) << to_text(refused);
  EXPECT_EQ(refused.code, Code::corrupt);
  EXPECT_EQ(scenario.writes_sent(a, cart), sent);
  OperationOptions elsewhere = by_client(2);
  elsewhere.retry_through = {b};
  EXPECT_EQ(scenario.put(a, cart, "bread", elsewhere).tries, 2U);

  EXPECT_EQ(scenario.judge(), nothing_wrong);
  EXPECT_EQ(scenario.final_values(cart), (Values{"bread", "milk"}));
}

}  // namespace
}  // namespace ringwright
