#include "replication/shard/recent_requests.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>

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

TEST(RecentRequests, ForgetsTheOldestFirst) {
  RecentRequests recent(3);
  for (OperationId operation = 1; operation <= 4; ++operation)
    EXPECT_FALSE(recent.is_repeat(1, operation));
  EXPECT_TRUE(recent.is_repeat(1, 2));
  EXPECT_TRUE(recent.is_repeat(1, 4));
  EXPECT_FALSE(recent.is_repeat(1, 1)) << "forgotten";
  EXPECT_FALSE(recent.is_repeat(1, 2)) << "which made room for the one before";
}

TEST(RecentRequests, HoldsTheWholeWindow) {
  RecentRequests recent;
  for (OperationId operation = 0; operation < limits::request_window_count; ++operation)
    ASSERT_FALSE(recent.is_repeat(1, operation));
  for (OperationId operation = 0; operation < limits::request_window_count; ++operation)
    ASSERT_TRUE(recent.is_repeat(1, operation));
}

TEST(RecentRequests, AgreesWithASetAndAQueue) {
  SeededRandom random(1, "recent_requests");
  RecentRequests recent(50);
  std::set<std::pair<Endpoint, OperationId>> known;
  std::deque<std::pair<Endpoint, OperationId>> in_order;
  for (int step = 0; step < 20000; ++step) {
    const auto source = static_cast<Endpoint>(random.below(3));
    const OperationId operation = random.below(60);
    const bool is_new = known.emplace(source, operation).second;
    if (is_new) in_order.emplace_back(source, operation);
    if (in_order.size() > 50) {
      known.erase(in_order.front());
      in_order.pop_front();
    }
    ASSERT_EQ(recent.is_repeat(source, operation), !is_new) << step;
  }
}

}  // namespace
}  // namespace ringwright
