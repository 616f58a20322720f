#include "engine/base/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace ringwright {
namespace {

TEST(Clock, TheCoarseOneFollowsTheSystems) {
  const auto exact = make_system_clock();
  const auto coarse = make_coarse_clock();
  for (int i = 0; i < 1000; ++i) {
    const Instant late = coarse->now();
    ASSERT_LE(late, exact->now());
  }
  const Instant before = exact->now();
  const Instant deadline = before + seconds(10);
  while (coarse->now() < before && exact->now() < deadline) std::this_thread::yield();
  EXPECT_GE(coarse->now(), before);
}

}  // namespace
}  // namespace ringwright
