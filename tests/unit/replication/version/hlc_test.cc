#include "replication/version/hlc.h"

#include <gtest/gtest.h>

#include "engine/base/limits.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

constexpr std::uint64_t wall = 1'700'000'000'000'000;

HybridClock clock_with_lease() {
  HybridClock clock;
  clock.set_bound(timestamp_at(wall + limits::clock_lease_us));
  return clock;
}

TEST(HybridClock, FollowsTheWallClock) {
  HybridClock clock = clock_with_lease();
  EXPECT_EQ(*clock.issue(wall), timestamp_at(wall));
  EXPECT_EQ(*clock.issue(wall + 5), timestamp_at(wall + 5));
  EXPECT_EQ(wall_us_of(clock.last()), wall + 5);
}

TEST(HybridClock, NeverStepsBackNorRepeatsWhenTheWallClockDoes) {
  HybridClock clock = clock_with_lease();
  const Timestamp first = *clock.issue(wall);
  EXPECT_EQ(*clock.issue(wall), first + 1);
  EXPECT_EQ(*clock.issue(wall - 1'000'000), first + 2);
  EXPECT_EQ(*clock.issue(0), first + 3);
}

TEST(HybridClock, LogicalCounterOverflowsIntoMicroseconds) {
  HybridClock clock = clock_with_lease();
  Timestamp last = *clock.issue(wall);
  for (int i = 0; i < 3 << timestamp_logical_bits; ++i) {
    const Timestamp next = *clock.issue(wall);
    ASSERT_EQ(next, last + 1);
    last = next;
  }
  EXPECT_EQ(wall_us_of(last), wall + 3);
}

TEST(HybridClock, IssuesNothingWithoutALease) {
  HybridClock clock;
  EXPECT_EQ(clock.issue(wall).status().code(), Code::unavailable);
  EXPECT_EQ(clock.last(), 0u);
}

TEST(HybridClock, NeverPassesItsBound) {
  HybridClock clock;
  clock.set_bound(timestamp_at(wall) + 1);
  EXPECT_EQ(*clock.issue(wall), timestamp_at(wall));
  EXPECT_EQ(*clock.issue(wall), timestamp_at(wall) + 1);
  EXPECT_EQ(clock.issue(wall).status().code(), Code::unavailable);
  EXPECT_EQ(clock.issue(wall + 10).status().code(), Code::unavailable);
  clock.set_bound(timestamp_at(wall + 10));
  EXPECT_EQ(*clock.issue(wall), timestamp_at(wall) + 2);
}

TEST(HybridClock, StartsAboveItsFloor) {
  HybridClock clock(timestamp_at(wall));
  clock.set_bound(timestamp_at(wall + 1));
  EXPECT_EQ(*clock.issue(0), timestamp_at(wall) + 1);
}

TEST(HybridClock, MovesPastWhatItSaw) {
  HybridClock clock = clock_with_lease();
  const Timestamp seen = timestamp_at(wall + 1000) + 17;
  EXPECT_TRUE(clock.observe(seen, wall).is_ok());
  EXPECT_EQ(*clock.issue(wall), seen + 1);
  EXPECT_TRUE(clock.observe(timestamp_at(wall), wall).is_ok());
  EXPECT_EQ(*clock.issue(wall), seen + 2);
}

TEST(HybridClock, WaitsForALeaseBeyondWhatItSaw) {
  HybridClock clock;
  clock.set_bound(timestamp_at(wall));
  EXPECT_TRUE(clock.observe(timestamp_at(wall + 7), wall).is_ok());
  EXPECT_EQ(clock.issue(wall).status().code(), Code::unavailable);
  clock.set_bound(timestamp_at(wall + 8));
  EXPECT_EQ(*clock.issue(wall), timestamp_at(wall + 7) + 1);
}

TEST(HybridClock, RefusesTheFarFutureAndStays) {
  HybridClock clock = clock_with_lease();
  const Timestamp before = *clock.issue(wall);
  const std::uint64_t edge = wall + limits::clock_ahead_us_max;
  EXPECT_EQ(clock.observe(timestamp_at(edge + 1), wall).code(), Code::invalid);
  EXPECT_EQ(clock.observe(timestamp_max, wall).code(), Code::invalid);
  EXPECT_EQ(clock.last(), before);
  EXPECT_TRUE(clock.observe(timestamp_at(edge), wall).is_ok());
  EXPECT_EQ(clock.last(), timestamp_at(edge));
}

TEST(HybridClock, FarFutureIsRefusedAlsoByTheLargestWallClock) {
  HybridClock clock;
  EXPECT_TRUE(clock.observe(timestamp_at(wall), UINT64_MAX).is_ok());
}

TEST(HybridClock, EndOfTimeDoesNotWrap) {
  EXPECT_EQ(timestamp_at(std::uint64_t{1} << 52), timestamp_max);
  EXPECT_EQ(timestamp_at((std::uint64_t{1} << 52) - 1), timestamp_max - 4095);
  HybridClock clock(timestamp_max);
  clock.set_bound(timestamp_max);
  EXPECT_EQ(clock.issue(wall).status().code(), Code::unavailable);
}

TEST(HybridClock, RisesStrictlyWhateverHappens) {
  for (const std::uint64_t seed : test::seeds(50)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "hlc");
    HybridClock clock;
    Timestamp above = 0;
    Timestamp durable = 0;
    std::uint64_t now = wall;
    for (int step = 0; step < 500; ++step) {
      now = now + random.below(2000) - 1000;
      if (random.chance(0.1)) clock = HybridClock(durable);
      if (random.chance(0.3)) {
        durable = std::max(durable, timestamp_at(now + random.below(3000)));
        clock.set_bound(durable);
      }
      if (random.chance(0.3)) {
        const Timestamp seen = timestamp_at(now + random.below(2 * limits::clock_ahead_us_max));
        const bool taken = clock.observe(seen, now).is_ok();
        ASSERT_EQ(taken, wall_us_of(seen) <= now + limits::clock_ahead_us_max);
        ASSERT_TRUE(!taken || clock.last() >= seen);
      }
      const auto issued = clock.issue(now);
      if (!issued) continue;
      ASSERT_GT(*issued, above);
      ASSERT_LE(*issued, clock.bound());
      ASSERT_EQ(*issued, clock.last());
      above = *issued;
    }
  }
}

}  // namespace
}  // namespace ringwright
