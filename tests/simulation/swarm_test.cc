#include "replication/simulation/swarm.h"

#include <gtest/gtest.h>

#include <set>

namespace ringwright {
namespace {

std::string evidence(const SwarmResult& result) {
  std::string text = "seed " + std::to_string(result.seed) + ", digest " + result.digest + "\n" +
                     describe_parameters(result);
  for (const std::string& sentence : result.violations) text += "  ! " + sentence + "\n";
  return text;
}

TEST(Swarm, TwoHundredSeedsKeepTheirPromises) {
  std::map<std::string, std::uint64_t> sums;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const SwarmResult result = run_swarm(seed);
    EXPECT_TRUE(result.violations.empty()) << evidence(result);
    for (const auto& [name, value] : result.counters) sums[name] += value;
  }
  // A swarm in which little succeeds or little goes wrong proves little.
  EXPECT_GT(sums["operations.ok"], sums["operations.failed"] + sums["operations.unknown"]);
  for (const char* fault :
       {"fault.crash", "fault.power_cut", "fault.split", "fault.wipe", "fault.restore",
        "fault.clone", "fault.damage", "engine.sync_fails", "engine.write_doubtful_lost",
        "ringwright_fallback_rows_delivered_total", "ringwright_read_repairs_total"})
    EXPECT_GT(sums[fault], 10U) << fault;
}

TEST(Swarm, EqualSeedsGiveEqualRuns) {
  std::set<std::string> digests;
  for (std::uint64_t seed = 1001; seed <= 1050; ++seed) {
    const SwarmResult one = run_swarm(seed);
    const SwarmResult other = run_swarm(seed);
    EXPECT_EQ(one.digest, other.digest) << evidence(one);
    EXPECT_EQ(one.checkpoints, other.checkpoints) << "seed " << seed;
    EXPECT_EQ(to_json_lines(one.history), to_json_lines(other.history)) << "seed " << seed;
    digests.insert(one.digest);
  }
  EXPECT_EQ(digests.size(), 50U);
}

}  // namespace
}  // namespace ringwright
