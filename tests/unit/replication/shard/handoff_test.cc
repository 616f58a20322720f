#include "replication/shard/handoff.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

using Rows = std::vector<std::pair<Bytes, Bytes>>;

constexpr Instant due = 0;
const KeyRange range{"f", "g"};
const Status failure{Code::io_error, "the disk failed"};

Rows page(std::size_t rows) {
  Rows all;
  for (std::size_t i = 0; i < rows; ++i) all.emplace_back("f" + std::to_string(100 + i), "row");
  return all;
}
const Rows full_page = page(limits::handoff_rows_in_flight);

TEST(Handoff, ReadsTheWholeRangeOnceItIsDue) {
  Handoff handoff(range);
  EXPECT_EQ(handoff.next_deadline(), due);
  const auto scan = handoff.take_scan(due, 0);
  ASSERT_TRUE(scan);
  EXPECT_EQ(scan->start, "f");
  EXPECT_EQ(scan->stop, "g");
  EXPECT_FALSE(handoff.take_scan(due, 0)) << "one scan at a time";
  EXPECT_EQ(handoff.next_deadline(), never) << "now it waits for the engine";
}

TEST(Handoff, AScanThatFoundNoneSaysHowManyRowsHadBeenWrittenWhenItBegan) {
  Handoff handoff(range);
  ASSERT_TRUE(handoff.take_scan(due, 5));
  handoff.scanned({}, {}, 10);
  EXPECT_FALSE(handoff.take_found_none()) << "not before the scan is over";
  EXPECT_FALSE(handoff.take_scan(10, 6));
  EXPECT_EQ(handoff.take_found_none(), 5u);
  EXPECT_FALSE(handoff.take_found_none()) << "once";
  EXPECT_EQ(handoff.next_deadline(), 10 + limits::handoff_interval);
}

TEST(Handoff, PausesAfterAWholeScan) {
  Handoff handoff(range);
  ASSERT_TRUE(handoff.take_scan(due, 0));
  handoff.scanned({}, page(1), 10);
  EXPECT_FALSE(handoff.take_scan(10, 0));
  const Instant next = 10 + limits::handoff_interval;
  EXPECT_EQ(handoff.next_deadline(), next);
  EXPECT_FALSE(handoff.take_scan(next - 1, 0));
  ASSERT_TRUE(handoff.take_scan(next, 0));
}

TEST(Handoff, WaitsForEveryDeliveryOfAPage) {
  Handoff handoff(range);
  ASSERT_TRUE(handoff.take_scan(due, 0));
  handoff.scanned({}, page(2), 10);
  handoff.delivery_started();
  handoff.delivery_started();
  EXPECT_FALSE(handoff.take_scan(20, 0));
  EXPECT_EQ(handoff.next_deadline(), never);
  handoff.delivery_ended();
  EXPECT_FALSE(handoff.take_scan(30, 0));
  EXPECT_EQ(handoff.next_deadline(), never);
  handoff.delivery_ended();
  EXPECT_FALSE(handoff.take_scan(40, 0));
  EXPECT_EQ(handoff.next_deadline(), 40 + limits::handoff_interval);
  EXPECT_FALSE(handoff.take_found_none()) << "it found some";
}

TEST(Handoff, AFullPageIsFollowedByTheNextFromBeyondItsLastRow) {
  Handoff handoff(range);
  ASSERT_TRUE(handoff.take_scan(due, 7));
  handoff.scanned({}, full_page, 10);
  handoff.delivery_started();
  EXPECT_FALSE(handoff.take_scan(10, 7));
  handoff.delivery_ended();
  const auto second = handoff.take_scan(10, 8);
  ASSERT_TRUE(second) << "without a pause";
  EXPECT_EQ(second->start, full_page.back().first + Bytes(1, '\0'));
  EXPECT_EQ(second->stop, "g");
  handoff.scanned({}, {}, 20);
  EXPECT_FALSE(handoff.take_scan(20, 8));
  EXPECT_FALSE(handoff.take_found_none()) << "the first page held rows";
  const auto again = handoff.take_scan(20 + limits::handoff_interval, 9);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->start, "f") << "a new scan begins at the beginning";
  handoff.scanned({}, {}, 30);
  EXPECT_FALSE(handoff.take_scan(30, 9));
  EXPECT_EQ(handoff.take_found_none(), 9u) << "what the scan before found is forgotten";
}

TEST(Handoff, AFailedScanStartsOverAfterThePauseAndFoundNothingOut) {
  Handoff handoff(range);
  ASSERT_TRUE(handoff.take_scan(due, 0));
  handoff.scanned({}, full_page, 10);
  ASSERT_TRUE(handoff.take_scan(10, 0));
  handoff.scanned(failure, {}, 20);
  EXPECT_FALSE(handoff.take_found_none());
  EXPECT_EQ(handoff.next_deadline(), 20 + limits::handoff_interval);
  EXPECT_FALSE(handoff.take_scan(20, 0));
  EXPECT_FALSE(handoff.take_found_none());
  const auto again = handoff.take_scan(20 + limits::handoff_interval, 0);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->start, "f");
}

}  // namespace
}  // namespace ringwright
