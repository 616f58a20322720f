#include "plugins/wiredtiger/breakable_mutex.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace ringwright {
namespace {

class BreakableMutexTest : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Spins, BreakableMutexTest, testing::Values(0, 200));

TEST_P(BreakableMutexTest, one_at_a_time) {
  BreakableMutex mutex(GetParam());
  constexpr int rounds = 20'000;
  int counted = 0;  // not atomic
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        const BreakableMutex::Hold hold(mutex);
        ASSERT_TRUE(hold);
        ++counted;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counted, 4 * rounds);
}

TEST_P(BreakableMutexTest, broken_it_sends_waiters_away_until_it_is_mended) {
  BreakableMutex mutex(GetParam());
  std::optional<BreakableMutex::Hold> holder(std::in_place, mutex);
  std::atomic<int> arrived{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      ++arrived;
      if (!BreakableMutex::Hold(mutex)) ++refused;
    });
  while (arrived < 4) std::this_thread::yield();
  mutex.break_off();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(refused, 4);
  holder.reset();
  EXPECT_FALSE(BreakableMutex::Hold(mutex)) << "given back, and broken still";
  mutex.mend();
  EXPECT_TRUE(BreakableMutex::Hold(mutex));
}

}  // namespace
}  // namespace ringwright
