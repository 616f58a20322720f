// Wall clocks that disagree, and the hybrid clocks above them over restarts.

#include "tests/simulation/scenario_support.h"

namespace ringwright {
namespace {

using namespace test;

class Clocks : public ScenarioTest {
 protected:
  SimulationOptions skewed_options(std::uint64_t seed, Nanoseconds skew_max) const {
    SimulationOptions skewed = options(seed);
    skewed.clock_skew_max = skew_max;
    return skewed;
  }
  // Two clocks may differ by twice that: still believed, but beyond a lease.
  static constexpr Nanoseconds large_skew = milliseconds(2400);
  static std::uint64_t stamps_refused(const Simulation& world) {
    return world.counters()["ringwright_clock_ahead_refused_total"];
  }
};
INSTANTIATE_TEST_SUITE_P(All, Clocks, testing::ValuesIn(settings), setting_name);

TEST_P(Clocks, EveryNodeCoordinatesThoughWallClocksDifferBySeconds) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const bool large = seed % 2 == 0;
    SCOPED_TRACE("seed " + std::to_string(seed));
    Scenario scenario(skewed_options(seed, large ? large_skew : milliseconds(400)));
    Simulation& world = scenario.world;
    // What was stamped before a node's start by a slower clock is not acted on: it may be a repeat.
    world.run_for(2 * large_skew);
    for (int round = 0; round < 40; ++round) {
      const auto node = static_cast<NodeIndex>(round % 5);
      OperationOptions again;
      // A request may itself bring the stamp that the lease does not cover yet.
      if (large) again.retry_through.assign(20, node);
      scenario.put(node, "key " + std::to_string(node), "value " + std::to_string(round), again);
      world.run_for(milliseconds(300));
    }
    EXPECT_EQ(stamps_refused(world), 0U);
    EXPECT_EQ(scenario.judge(), nothing_wrong);
  }
}

TEST_P(Clocks, RestartsInQuickSuccessionDoNotRunAwayFromTheWallClock) {
  Scenario scenario(options());
  Simulation& world = scenario.world;
  const NodeIndex a = scenario.nodes_of(cart)[0];
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(world.restart(a).is_ok());
    OperationOptions at_once;
    at_once.retry_through.assign(100, a);
    scenario.put(a, cart, "value " + std::to_string(round), at_once);
  }
  EXPECT_EQ(stamps_refused(world), 0U);
  EXPECT_EQ(scenario.judge(), nothing_wrong);
}

// The fastest clock moves a's stamps ahead of a's wall clock, to which a restart must not go back.
TEST_P(Clocks, NextWriteOfARestartedNodeIsTheLastOne) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulationOptions lww = skewed_options(seed, large_skew);
    lww.resolver = "lww";
    Scenario scenario(lww);
    Simulation& world = scenario.world;
    const auto [a, b, c, d, e] = scenario.nodes_of(cart);
    scenario.put(b, cart, "milk");
    world.run_for(milliseconds(100));
    scenario.put(a, cart, "eggs", by_client(1));
    world.run_for(milliseconds(100));
    world.power_cut(a);
    scenario.isolate(a);  // nobody tells it the time
    ASSERT_TRUE(world.restart(a).is_ok());
    OperationOptions alone = by_client(2);
    alone.level = 1;
    alone.retry_through.assign(100, a);
    scenario.put(a, cart, "bread", alone);

    EXPECT_EQ(scenario.judge(), nothing_wrong);
    EXPECT_EQ(scenario.final_values(cart), Values{"bread"});
  }
}

}  // namespace
}  // namespace ringwright
