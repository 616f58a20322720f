#include "replication/shard/replica_timer.h"

#include <gtest/gtest.h>

#include "engine/base/limits.h"

namespace ringwright {
namespace {

constexpr std::uint32_t own = 0;
constexpr std::uint32_t peer = 1;
constexpr std::uint32_t other = 2;

class ReplicaTimerTest : public testing::Test {
 protected:
  // The next operation that is timed, or the next that is not.
  OperationId next(bool drawn) {
    do ++operation_;
    while (ReplicaTimer::is_drawn(operation_) != drawn);
    return operation_;
  }
  OperationId sent(bool drawn, Instant now, std::uint32_t member = peer) {
    const OperationId operation = next(drawn);
    timer_.sent(member, ReplicaRequest::write, operation, now);
    return operation;
  }
  const DurationHistogram& writes(std::uint32_t member = peer) const {
    return timer_.counts()[member].of(ReplicaRequest::write);
  }

  ReplicaTimer timer_{3, own};
  OperationId operation_ = 0;
};

TEST_F(ReplicaTimerTest, AboutOneOfEightIsDrawn) {
  int drawn = 0;
  // As a table names its operations: one slot again and again, and each slot in turn.
  for (OperationId i = 1; i <= 4'000; ++i)
    drawn += ReplicaTimer::is_drawn(i << 20 | 1) + ReplicaTimer::is_drawn(i);
  EXPECT_NEAR(drawn, 1'000, 100);
}

TEST_F(ReplicaTimerTest, ATimedRequestStandsForThoseSinceTheOneBefore) {
  for (int i = 0; i < 5; ++i) timer_.answered(peer, sent(false, 100), 200);
  EXPECT_EQ(writes().total(), 0u);
  timer_.answered(peer, sent(true, 1'000), 4'000);
  EXPECT_EQ(writes().total(), 6u);
  EXPECT_EQ(writes().counts()[2], 6u) << "2 to 5 microseconds";
  timer_.answered(peer, sent(true, 10'000), 10'500);
  EXPECT_EQ(writes().total(), 7u);
  EXPECT_EQ(writes().sum(), 6 * 3'000u + 500u);
}

TEST_F(ReplicaTimerTest, EachMemberAndKindStandsAlone) {
  const OperationId operation = sent(true, 0, peer);
  timer_.sent(other, ReplicaRequest::write, operation, 0);
  timer_.answered(other, operation, 10);
  EXPECT_EQ(writes(peer).total(), 0u);
  EXPECT_EQ(writes(other).sum(), 10u);
  timer_.answered(peer, operation, 20);
  EXPECT_EQ(writes(peer).sum(), 20u);
  const OperationId read = next(true);
  timer_.sent(peer, ReplicaRequest::read, read, 0);
  timer_.answered(peer, read, 30);
  EXPECT_EQ(timer_.counts()[peer].of(ReplicaRequest::read).sum(), 30u);
  EXPECT_EQ(writes(peer).total(), 1u);
}

TEST_F(ReplicaTimerTest, WhatComesTwiceOrFromNowhereCountsNotAgain) {
  const OperationId operation = sent(true, 0);
  timer_.answered(peer, operation, 10);
  timer_.answered(peer, operation, 20);
  timer_.answered(peer, next(true), 30);
  timer_.answered(peer, 0, 40);  // a repair expects no answer
  EXPECT_EQ(writes().total(), 1u);
  EXPECT_EQ(writes().sum(), 10u);
}

TEST_F(ReplicaTimerTest, TheNodeItselfIsNoPeer) {
  timer_.answered(own, sent(true, 0, own), 10);
  EXPECT_EQ(writes(own).total(), 0u);
}

TEST_F(ReplicaTimerTest, AnAnswerAfterALostConnectionIsNotTimed) {
  const OperationId operation = sent(true, 0);
  timer_.lost(peer);
  timer_.answered(peer, operation, 10);
  EXPECT_EQ(writes().total(), 0u);
}

TEST_F(ReplicaTimerTest, AMemberThatIsSilentHasABoundAndIsTimedAgainWhenItIsBack) {
  constexpr int requests = 1'000;
  for (int i = 0; i < requests; ++i) sent(true, 0);
  timer_.answered(peer, sent(true, limits::replica_answer_max), limits::replica_answer_max);
  EXPECT_EQ(writes().total(), 0u) << "all places are taken";
  const Instant later = limits::replica_answer_max + 1;
  timer_.answered(peer, sent(true, later), later + 5);
  EXPECT_GT(writes().total(), 900u);
  EXPECT_LT(writes().total(), 1'000u) << "those that were waited for in vain are not counted";
  EXPECT_EQ(writes().sum(), 5 * writes().total());
}

}  // namespace
}  // namespace ringwright
