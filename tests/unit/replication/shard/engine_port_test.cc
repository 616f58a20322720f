#include "replication/shard/engine_port.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

using Kind = EngineWork::Kind;
using Event = EnginePort::Event;
using Heard = std::vector<std::pair<Event::Kind, EnginePort::Asker>>;

constexpr auto applied = Event::Kind::applied;
constexpr auto durable = Event::Kind::durable;
const Status failure{Code::io_error, "the disk failed"};

class EnginePortTest : public ::testing::Test {
 protected:
  std::vector<EngineWork> take() {
    std::vector<EngineWork> work;
    port.take_work(ticket, work);
    return work;
  }
  std::vector<Event> complete(const EngineWork& work, Status status = {},
                              std::uint64_t sequence = 0) {
    EngineCompletion completion;
    completion.ticket = work.ticket;
    completion.status = std::move(status);
    completion.sequence = sequence;
    const auto events = port.complete(std::move(completion));
    return {events.begin(), events.end()};
  }
  static Heard heard(std::span<const Event> events) {
    Heard all;
    for (const Event& event : events) all.emplace_back(event.kind, event.asker);
    return all;
  }

  Ticket ticket = 100;
  EnginePort port{3, true};
};

TEST_F(EnginePortTest, OneWakeUpIsOneReadOneWriteAndScansOfTheirOwn) {
  port.read(1, "a", "b");
  port.put(2, "a", "row");
  port.read(3, "c");
  port.merge(4, "b", "operand");
  port.remove(5, "a");
  port.scan(6, {"x", "y"}, 7);
  port.scan(7, {}, 8);
  const auto work = take();
  ASSERT_EQ(work.size(), 4u);
  EXPECT_EQ(work[0].kind, Kind::read);
  EXPECT_EQ(work[0].keys, (std::vector<Bytes>{"a", "b", "c"}));
  EXPECT_EQ(work[1].kind, Kind::write);
  const auto& writes = work[1].batch.operations();
  ASSERT_EQ(writes.size(), 3u);
  EXPECT_EQ(writes[0].kind, WriteBatch::Kind::put);
  EXPECT_EQ(writes[1].kind, WriteBatch::Kind::merge);
  EXPECT_EQ(writes[2].kind, WriteBatch::Kind::remove);
  EXPECT_EQ(work[2].range.start, "x");
  EXPECT_EQ(work[2].limit, 7u);
  EXPECT_EQ(work[3].limit, 8u);
  for (std::size_t i = 0; i < work.size(); ++i) {
    EXPECT_EQ(work[i].engine, 3u);
    EXPECT_EQ(work[i].ticket, 100 + i);
    EXPECT_TRUE(port.knows(work[i].ticket));
  }
  EXPECT_TRUE(take().empty());
}

TEST_F(EnginePortTest, RowsGoToWhoAskedForThem) {
  port.read(1, "a", "b");
  port.read(2, "c");
  EngineCompletion completion;
  completion.ticket = take()[0].ticket;
  completion.rows = {std::optional<Bytes>("A"), std::optional<Bytes>(), failure};
  const auto events = port.complete(std::move(completion));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].asker, 1u);
  ASSERT_EQ(events[0].rows.size(), 2u);
  EXPECT_EQ(events[0].rows[0].value(), "A");
  EXPECT_EQ(events[0].rows[1].value(), std::nullopt);
  EXPECT_EQ(events[1].asker, 2u);
  EXPECT_EQ(events[1].rows[0].status().code(), Code::io_error);
}

TEST_F(EnginePortTest, TooFewRowsAreAnErrorAndNotAbsence) {
  port.read(1, "a", "b");
  EngineCompletion completion;
  completion.ticket = take()[0].ticket;
  completion.rows = {std::optional<Bytes>("A")};
  const auto events = port.complete(std::move(completion));
  EXPECT_EQ(events[0].status.code(), Code::io_error);
}

TEST_F(EnginePortTest, AFailedReadFailsAllItsReaders) {
  port.read(1, "a");
  port.read(2, "b");
  for (const Event& event : complete(take()[0], failure))
    EXPECT_EQ(event.status.code(), Code::io_error);
}

TEST_F(EnginePortTest, OpenBatchCountsTheBatchesThatLeft) {
  const std::uint64_t before = port.open_batch();
  take();
  EXPECT_EQ(port.open_batch(), before);
  port.read(1, "a");
  take();
  EXPECT_EQ(port.open_batch(), before) << "a read is none";
  port.put(2, "a", "row");
  EXPECT_EQ(port.open_batch(), before);
  take();
  EXPECT_EQ(port.open_batch(), before + 1);
}

TEST_F(EnginePortTest, WritersOfABatchShareItsFate) {
  port.put(1, "a", "row");
  port.put(2, "b", "row");
  const auto first = take();
  port.put(3, "c", "row");
  const auto second = take();
  EXPECT_EQ(heard(complete(second[0], {}, 2)), (Heard{{applied, 3}}));
  const auto events = complete(first[0], failure);
  EXPECT_EQ(heard(events), (Heard{{applied, 1}, {applied, 2}}));
  for (const Event& event : events) EXPECT_EQ(event.status.code(), Code::io_error);
}

TEST_F(EnginePortTest, WithoutTheNeedToSyncAppliedIsDurable) {
  EnginePort lazy(3, false);
  lazy.put(1, "a", "row");
  std::vector<EngineWork> work;
  lazy.take_work(ticket, work);
  EngineCompletion completion;
  completion.ticket = work[0].ticket;
  EXPECT_EQ(heard(lazy.complete(std::move(completion))), (Heard{{applied, 1}, {durable, 1}}));
  work.clear();
  lazy.take_work(ticket, work);
  EXPECT_TRUE(work.empty());
}

TEST_F(EnginePortTest, OneSyncIsInFlightAndCoversWhatWasAppliedBeforeItBegan) {
  port.put(1, "a", "row");
  port.put(2, "b", "row");
  complete(take()[0], {}, 10);
  const auto first_sync = take();
  ASSERT_EQ(first_sync.size(), 1u);
  EXPECT_EQ(first_sync[0].kind, Kind::sync);
  EXPECT_EQ(first_sync[0].sequence, 10u);

  port.put(3, "c", "row");
  const auto third = take();
  ASSERT_EQ(third.size(), 1u);
  complete(third[0], {}, 11);
  port.put(4, "d", "row");
  const auto fourth = take();
  ASSERT_EQ(fourth.size(), 1u) << "only the write: the sync in flight comes first";
  EXPECT_EQ(fourth[0].kind, Kind::write);
  complete(fourth[0], {}, 12);
  EXPECT_TRUE(take().empty());

  EXPECT_EQ(heard(complete(first_sync[0])), (Heard{{durable, 1}, {durable, 2}}));
  const auto second_sync = take();
  ASSERT_EQ(second_sync.size(), 1u);
  EXPECT_EQ(second_sync[0].sequence, 12u);
  EXPECT_EQ(heard(complete(second_sync[0])), (Heard{{durable, 3}, {durable, 4}}));
  EXPECT_TRUE(take().empty());
}

TEST_F(EnginePortTest, AWriteThatFailedIsNotSynced) {
  port.put(1, "a", "row");
  complete(take()[0], failure);
  EXPECT_TRUE(take().empty());
}

TEST_F(EnginePortTest, AFailedSyncIsToldToAllItCoversAndNobodyElse) {
  port.put(1, "a", "row");
  complete(take()[0], {}, 10);
  const auto sync = take();
  port.put(2, "b", "row");
  complete(take()[0], {}, 11);
  const auto events = complete(sync[0], failure);
  EXPECT_EQ(heard(events), (Heard{{durable, 1}}));
  EXPECT_EQ(events[0].status.code(), Code::io_error);
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(EnginePortTest, ScansAnswerWhoAsked) {
  port.scan(1, {}, 2);
  port.scan(2, {}, 2);
  const auto work = take();
  EngineCompletion completion;
  completion.ticket = work[1].ticket;
  completion.scanned = {{"a", "row"}};
  const auto events = port.complete(std::move(completion));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, Event::Kind::scanned);
  EXPECT_EQ(events[0].asker, 2u);
  EXPECT_EQ(events[0].scanned.size(), 1u);
  EXPECT_EQ(complete(work[0], failure)[0].status.code(), Code::io_error);
}

using EnginePortDeathTest = EnginePortTest;

TEST_F(EnginePortDeathTest, AWorkEndsOnce) {
  port.read(1, {});
  const auto work = take();
  complete(work[0]);
  EXPECT_FALSE(port.knows(work[0].ticket));
  EXPECT_DEATH(complete(work[0]), "in_flight_");
}

}  // namespace
}  // namespace ringwright
