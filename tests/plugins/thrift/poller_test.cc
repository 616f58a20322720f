#include "plugins/thrift/poller.h"

#include <gtest/gtest.h>

namespace ringwright::wire {
namespace {

constexpr Nanoseconds hour = seconds(3600);

TEST(IdlePoll, GrowsByShortSleepsAndShrinksByLongOnes) {
  IdlePoll poll(microseconds(100));
  EXPECT_EQ(poll.window(), 0);
  Nanoseconds before = 0;
  for (int i = 0; i < 4; ++i) {
    poll.slept(microseconds(100));
    EXPECT_GT(poll.window(), before);
    before = poll.window();
  }
  for (int i = 0; i < 10; ++i) poll.slept(0);
  EXPECT_EQ(poll.window(), microseconds(100));
  poll.slept(microseconds(101));
  EXPECT_EQ(poll.window(), microseconds(50));
  for (int i = 0; i < 10; ++i) poll.slept(hour);
  EXPECT_EQ(poll.window(), 0);
}

TEST(IdlePoll, NeverLooksWhenItIsOff) {
  IdlePoll poll(0);
  EXPECT_FALSE(poll.is_on());
  for (int i = 0; i < 10; ++i) poll.slept(0);
  EXPECT_EQ(poll.window(), 0);
}

// What is there already makes for the shortest of sleeps.
void wait_for_what_is_there(Poller& poller) {
  poller.wake();
  poller.wait(-1);
}

TEST(Poller, LooksOnceSleepsHaveBeenShort) {
  Poller poller;
  poller.set_idle_poll(hour);
  wait_for_what_is_there(poller);
  EXPECT_EQ(poller.slept(), 1U);
  EXPECT_EQ(poller.polled(), 0U);
  wait_for_what_is_there(poller);
  EXPECT_EQ(poller.slept(), 1U);
  EXPECT_EQ(poller.polled(), 1U);
}

TEST(Poller, OnlySleepsUnlessItIsTold) {
  Poller poller;
  for (int i = 0; i < 10; ++i) wait_for_what_is_there(poller);
  EXPECT_EQ(poller.slept(), 10U);
  EXPECT_EQ(poller.polled(), 0U);
}

TEST(Poller, LooksNoLongerThanItMayWait) {
  Poller poller;
  poller.set_idle_poll(hour);
  for (int i = 0; i < 2; ++i) wait_for_what_is_there(poller);
  // By now it would look for as long as it is let: that doubles with each sleep, so a few more that
  // find nothing make it an hour.
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(poller.wait(1).empty());
  EXPECT_TRUE(poller.wait(milliseconds(1)).empty());
  EXPECT_GT(poller.slept(), 40U);
}

TEST(Poller, OnlyLooksWhereItMayNotWait) {
  Poller poller;
  poller.set_idle_poll(hour);
  EXPECT_TRUE(poller.wait(0).empty());
  poller.wake();
  poller.wait(0);
  EXPECT_EQ(poller.slept(), 0U);
}

}  // namespace
}  // namespace ringwright::wire
