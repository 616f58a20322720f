#include "replication/shard/request_counts.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

AnsweredRequest answered(RequestKind kind, Code code, Instant arrived) {
  AnsweredRequest request;
  request.kind = kind;
  request.code = code;
  request.arrived = arrived;
  return request;
}

TEST(RequestCountsTest, EachKindAndCodeHasItsOwnDurations) {
  RequestCounts counts;
  counts.add(answered(RequestKind::put, Code::ok, 1'000), 4'000);
  counts.add(answered(RequestKind::put, Code::unavailable, 1'000), 1'500);
  counts.add(answered(RequestKind::remove, Code::ok, 0), 7);
  EXPECT_EQ(counts.durations(RequestKind::put, Code::ok).counts()[2], 1u) << "2 to 5 microseconds";
  EXPECT_EQ(counts.durations(RequestKind::put, Code::ok).sum(), 3'000u);
  EXPECT_EQ(counts.durations(RequestKind::put, Code::unavailable).sum(), 500u);
  EXPECT_EQ(counts.durations(RequestKind::remove, Code::ok).total(), 1u);
  EXPECT_EQ(counts.durations(RequestKind::get, Code::ok).total(), 0u);
}

TEST(RequestCountsTest, AClockThatStoodStillMakesNoHugeDuration) {
  RequestCounts counts;
  counts.add(answered(RequestKind::get, Code::ok, 10), 9);
  EXPECT_EQ(counts.durations(RequestKind::get, Code::ok).counts()[0], 1u);
  EXPECT_EQ(counts.durations(RequestKind::get, Code::ok).sum(), 0u);
}

TEST(RequestCountsTest, OnlyWhatWasFoundHasASize) {
  RequestCounts counts;
  AnsweredRequest get = answered(RequestKind::get, Code::ok, 0);
  counts.add(get, 1);
  EXPECT_EQ(counts.siblings().total(), 0u);
  get.siblings = 3;
  get.object_bytes = 100;
  counts.add(get, 1);
  EXPECT_EQ(counts.siblings().counts()[2], 1u) << "3 or 4";
  EXPECT_EQ(counts.object_bytes().counts()[1], 1u) << "65 to 256";
  EXPECT_EQ(counts.object_bytes().sum(), 100u);
}

TEST(RequestCountsTest, AddsUpWhatShardsCounted) {
  RequestCounts one;
  RequestCounts other;
  AnsweredRequest get = answered(RequestKind::get, Code::timed_out, 0);
  get.siblings = 1;
  get.object_bytes = 9;
  one.add(get, 3);
  other.add(get, 4);
  one.add(other);
  EXPECT_EQ(one.durations(RequestKind::get, Code::timed_out).total(), 2u);
  EXPECT_EQ(one.durations(RequestKind::get, Code::timed_out).sum(), 7u);
  EXPECT_EQ(one.siblings().total(), 2u);
  EXPECT_EQ(one.object_bytes().sum(), 18u);
}

TEST(RequestCountsTest, EveryCodeHasAPlace) {
  EXPECT_LT(static_cast<std::size_t>(Code::mismatch), RequestCounts::codes);
}

}  // namespace
}  // namespace ringwright
