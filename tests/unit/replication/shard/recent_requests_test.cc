#include "replication/shard/recent_requests.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "engine/base/random.h"

namespace ringwright {
namespace {

TEST(RecentRequests, KnowsASecondComing) {
  RecentRequests recent;
  EXPECT_FALSE(recent.is_repeat(1, 7));
  EXPECT_TRUE(recent.is_repeat(1, 7));
  EXPECT_FALSE(recent.is_repeat(2, 7)) << "of another sender";
  EXPECT_FALSE(recent.is_repeat(1, 8)) << "under another number";
}

// Numbers that are this far apart share nothing.
constexpr OperationId far = 64;

TEST(RecentRequests, ForgetsTheOldestFirst) {
  RecentRequests recent(3);
  for (OperationId operation = 1; operation <= 7; ++operation)
    EXPECT_FALSE(recent.is_repeat(1, operation * far));
  EXPECT_TRUE(recent.is_repeat(1, 2 * far));
  EXPECT_TRUE(recent.is_repeat(1, 7 * far));
  EXPECT_FALSE(recent.is_repeat(1, 1 * far)) << "forgotten";
  EXPECT_FALSE(recent.is_repeat(1, 2 * far)) << "which made room for the one before";
}

TEST(RecentRequests, KeepsWhatCameLateUnderAnOldNeighboursNumber) {
  RecentRequests recent(3);
  ASSERT_FALSE(recent.is_repeat(1, 0));
  for (OperationId operation = 1; operation <= 5; ++operation)
    ASSERT_FALSE(recent.is_repeat(2, operation * far));
  ASSERT_FALSE(recent.is_repeat(1, 1)) << "new beside the oldest of all";
  ASSERT_FALSE(recent.is_repeat(2, 6 * far));
  ASSERT_FALSE(recent.is_repeat(2, 7 * far));
  EXPECT_TRUE(recent.is_repeat(1, 1)) << "only two came since";
}

TEST(RecentRequests, HoldsTheWholeWindow) {
  RecentRequests recent;
  for (OperationId operation = 0; operation < limits::request_window_count; ++operation)
    ASSERT_FALSE(recent.is_repeat(1, operation));
  for (OperationId operation = 0; operation < limits::request_window_count; ++operation)
    ASSERT_TRUE(recent.is_repeat(1, operation));
}

// Never a repeat that is none, and none overlooked among the latest; senders that count up, that
// jump, and that fall silent for long.
TEST(RecentRequests, AgreesWithAHistory) {
  constexpr std::size_t count_min = 50;
  for (const OperationId spread : {OperationId{60}, 3 * far, 200 * far}) {
    SeededRandom random(spread, "recent_requests");
    RecentRequests recent(count_min);
    std::map<std::pair<Endpoint, OperationId>, std::size_t> came;  // how many had come before
    std::size_t news = 0;
    std::size_t forgotten = 0;
    for (int step = 0; step < 20000; ++step) {
      const auto source = static_cast<Endpoint>(random.below(3));
      const bool is_silent = source == 2 && step % 2000 > 100;
      const std::pair request(is_silent ? Endpoint{0} : source,
                              random.below(2) == 0 ? random.below(spread) : news + random.below(4));
      const auto known = came.find(request);
      const bool must_know = known != came.end() && news - known->second <= count_min;
      const bool is_repeat = recent.is_repeat(request.first, request.second);
      ASSERT_TRUE(known != came.end() || !is_repeat) << step;
      ASSERT_TRUE(is_repeat || !must_know) << step;
      if (is_repeat) continue;
      if (known != came.end()) ++forgotten;
      came[request] = news++;
    }
    EXPECT_TRUE(forgotten > 0 || spread <= count_min * 2 * far) << "the memory is bounded";
  }
}

}  // namespace
}  // namespace ringwright
