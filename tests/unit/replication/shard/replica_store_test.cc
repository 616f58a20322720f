#include "replication/shard/replica_store.h"

#include <gtest/gtest.h>

#include "replication/version/merge.h"
#include "tests/unit/replication/shard/replica_store_by_hand.h"

namespace ringwright {
namespace {

using test::busy;
using test::doubt;
using test::io_error;
using test::peer_record;
using test::StoreByHand;
using test::StoreSetup;
using enum ReplicaStore::Event::Kind;
using Kinds = StoreByHand::Kinds;
using Values = std::vector<Bytes>;
using Work = EngineWork::Kind;

const Bytes key = "k";
const Bytes other_key = "l";
const Status corrupt{Code::corrupt, "bad block"};

Bytes stored(RowKind kind = RowKind::data) { return storage_key(kind, key); }

// --- reads ---

TEST(ReplicaStoreRead, OfNothingIsAbsent) {
  StoreByHand node;
  node.store.read(1, key);
  node.settle();
  EXPECT_EQ(node.heard(1), Kinds{read});
  EXPECT_TRUE(node.last(1).status.is_ok());
  EXPECT_TRUE(node.last(1).record.empty());
}

TEST(ReplicaStoreRead, MergesDataAndFallbackRow) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "a"));
  node.merge(2, key, peer_record(2, "b"), RowKind::fallback);
  node.settle();
  node.store.read(3, key);
  node.settle();
  const Record both = merge_records(peer_record(1, "a"), peer_record(2, "b"));
  EXPECT_EQ(node.last(3).record, encode_record(both, key));
}

TEST(ReplicaStoreRead, AnErrorOfEitherRowIsNeverAbsence) {
  for (const RowKind row : {RowKind::data, RowKind::fallback}) {
    StoreByHand node;
    node.merge(1, key, peer_record(1, "a"));
    node.settle();
    node.engine.unreadable[stored(row)] = io_error;
    node.store.read(2, key);
    node.settle();
    EXPECT_EQ(node.last(2).status.code(), Code::io_error);
    EXPECT_TRUE(node.last(2).record.empty());
  }
  StoreByHand node;
  node.store.read(3, key);
  node.fail(node.take(Work::read), io_error);
  EXPECT_EQ(node.last(3).status.code(), Code::io_error);
}

TEST(ReplicaStoreRead, DamageIsToldAndCounted) {
  StoreByHand node;
  node.engine.rows[stored()] = "junk";
  node.store.read(1, key);
  node.settle();
  EXPECT_EQ(node.last(1).status.code(), Code::corrupt);
  EXPECT_EQ(node.counters.value("ringwright_corrupt_records_total"), 1u);
}

TEST(ReplicaStoreRead, WaitsForNoWrite) {
  StoreByHand node;
  node.put(1, key, "v");
  node.store.read(2, key);
  const EngineWork both = node.take(Work::read);
  EXPECT_EQ(both.keys.size(), 4u) << "one batch of reads";
  node.end(both);
  EXPECT_EQ(node.heard(2), Kinds{read});
}

// --- puts ---

TEST(ReplicaStorePut, ReadsThenWritesThenShows) {
  StoreByHand node;
  node.put(1, key, "v");
  EXPECT_EQ(node.pending(Work::write), 0u);
  node.end_read();
  EXPECT_TRUE(node.heard(1).empty()) << "nothing is sent before the own copy shows it";
  node.end_write();
  EXPECT_EQ(node.heard(1), (Kinds{put_applied, durable}));
  const auto& applied = node.applied(1);
  EXPECT_EQ(applied.record, encode_record(node.row(key).record, key));
  EXPECT_EQ(node.row(key).mark, applied.dot.actor);
  EXPECT_TRUE(applied.context.vector.covers(applied.dot));
}

TEST(ReplicaStorePut, IsDurableOnlyAfterTheSync) {
  StoreByHand node({.durability = Durability::disk});
  node.put(1, key, "v");
  node.end_read();
  node.end_write();
  EXPECT_EQ(node.heard(1), Kinds{put_applied});
  node.end(node.take(Work::sync));
  EXPECT_EQ(node.heard(1), (Kinds{put_applied, durable}));
  EXPECT_TRUE(node.last(1).status.is_ok());
}

TEST(ReplicaStorePut, AFailedSyncIsToldAsNotDurable) {
  StoreByHand node({.durability = Durability::disk});
  node.put(1, key, "v");
  node.end_read();
  node.end_write();
  node.fail(node.take(Work::sync), io_error);
  EXPECT_EQ(node.heard(1), (Kinds{put_applied, durable}));
  EXPECT_EQ(node.last(1).status.code(), Code::io_error);
}

TEST(ReplicaStorePut, AReadThatFailsRefusesItAndWritesNothing) {
  for (const RowKind row : {RowKind::data, RowKind::fallback}) {
    for (const Status& error : {io_error, corrupt}) {
      StoreByHand node;
      node.engine.unreadable[stored(row)] = error;
      node.put(1, key, "v", {}, row);
      node.settle();
      EXPECT_EQ(node.heard(1), Kinds{put_refused});
      EXPECT_EQ(node.last(1).status.code(), error.code());
      EXPECT_TRUE(node.engine.rows.empty());
    }
  }
}

TEST(ReplicaStorePut, ADamagedOwnCopyRefuses) {
  StoreByHand node;
  node.engine.rows[stored()] = "junk";
  node.put(1, key, "v");
  node.settle();
  EXPECT_EQ(node.heard(1), Kinds{put_refused});
  EXPECT_EQ(node.engine.rows[stored()], "junk");
}

TEST(ReplicaStorePut, WithoutALeaseOfTheClockIsRefused) {
  StoreByHand node;
  node.clock.set_bound(1);
  node.put(1, key, "v");
  node.settle();
  EXPECT_EQ(node.heard(1), Kinds{put_refused});
  EXPECT_EQ(node.last(1).status.code(), Code::unavailable);
  node.clock.set_bound(timestamp_max);
  node.put(2, key, "w");
  node.settle();
  EXPECT_EQ(node.values(key), Values{"w"});
}

TEST(ReplicaStorePut, OfAStandInGoesToTheFallbackRow) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "data"));
  node.settle();
  node.put(2, key, "v", {}, RowKind::fallback);
  node.settle();
  EXPECT_EQ(node.values(key), Values{"data"});
  EXPECT_EQ(node.values(key, RowKind::fallback), (Values{"data", "v"}))
      << "what is sent is the merge of both rows";
}

// --- chains ---

TEST(ReplicaStoreChain, PutsOfOneWakeUpLandInOneBatch) {
  StoreByHand node;
  for (std::uint64_t token = 1; token <= 4; ++token)
    node.put(token, key, "v" + std::to_string(token));
  EXPECT_EQ(node.pending(Work::read), 1u) << "only the first reads";
  node.end_read();
  const EngineWork write = node.take(Work::write);
  EXPECT_EQ(write.batch.size(), 4u);
  EXPECT_EQ(node.pending(Work::read), 0u);
  node.end(write);
  EXPECT_EQ(node.values(key), (Values{"v1", "v2", "v3", "v4"}));
  for (std::uint64_t token = 1; token <= 4; ++token) {
    EXPECT_EQ(node.heard(token), (Kinds{put_applied, durable}));
    EXPECT_EQ(node.applied(token).dot.actor, node.applied(1).dot.actor);
    const Record sent =
        decode_record(node.applied(token).record, key, RecordKind::siblings).value();
    EXPECT_EQ(sent.siblings.size(), token) << "each sends what it left";
  }
}

TEST(ReplicaStoreChain, APutThatArrivesWhileTheBatchIsBeingFilledNeedsNoRead) {
  StoreByHand node;
  node.put(1, key, "1");
  node.end_read();
  node.put(2, key, "2");
  EXPECT_EQ(node.take(Work::write).batch.size(), 2u);
}

TEST(ReplicaStoreChain, APutThatArrivesAfterTheBatchLeftWaitsAndReads) {
  StoreByHand node;
  node.put(1, key, "1");
  node.end_read();
  const EngineWork write = node.take(Work::write);
  node.put(2, key, "2");
  EXPECT_TRUE(node.wake_up().empty());
  node.end(write);
  EXPECT_EQ(node.pending(Work::read), 1u);
  node.settle();
  EXPECT_EQ(node.values(key), (Values{"1", "2"}));
}

TEST(ReplicaStoreChain, ARefusedMemberLeavesTheOthersAlone) {
  StoreByHand node({.siblings_max = 2});
  for (std::uint64_t token = 1; token <= 3; ++token) node.put(token, key, std::to_string(token));
  const Context nowhere = [] {
    Context context;
    context.vector.raise({{{0, 1}, 0xabc, 1}, 1000}, 1);
    return context;
  }();
  node.put(4, key, "4", nowhere);
  node.put(5, other_key, "5");
  node.settle();
  EXPECT_EQ(node.values(key), (Values{"1", "2"}));
  EXPECT_EQ(node.values(other_key), Values{"5"});
  EXPECT_EQ(node.heard(3), Kinds{put_refused});
  EXPECT_EQ(node.heard(4), Kinds{put_refused});
  EXPECT_EQ(node.heard(2), (Kinds{put_applied, durable}));
}

TEST(ReplicaStoreChain, AFailedBatchFailsAllItsWritersAndNothingElse) {
  StoreByHand node;
  node.put(1, key, "1");
  node.put(2, key, "2");
  node.put(3, other_key, "3");
  node.end_read();
  const EngineWork failing = node.take(Work::write);
  EXPECT_EQ(failing.batch.size(), 3u);
  node.put(4, key, "4");
  node.put(5, "m", "5");
  node.end_read();
  const EngineWork other = node.take(Work::write);
  node.fail(failing, busy);
  for (const std::uint64_t token : {1, 2, 3}) {
    EXPECT_EQ(node.heard(token), Kinds{put_refused});
    EXPECT_EQ(node.last(token).status.code(), Code::busy);
  }
  node.end(other);
  node.settle();
  EXPECT_EQ(node.values(key), Values{"4"});
  EXPECT_EQ(node.values(other_key), Values{});
  EXPECT_EQ(node.values("m"), Values{"5"});
  EXPECT_EQ(node.heard(4), (Kinds{put_applied, durable}));
}

TEST(ReplicaStoreChain, AfterAFailedBatchTheNextPutStartsFromTheStoredRow) {
  StoreByHand node;
  node.put(1, key, "1");
  node.settle();
  const Actor actor = *node.row(key).mark;
  node.put(2, key, "2");
  node.end_read();
  node.fail(node.take(Work::write), busy);
  node.put(3, key, "3");
  node.settle();
  EXPECT_EQ(node.values(key), (Values{"1", "3"}));
  EXPECT_EQ(node.row(key).mark, actor) << "certainly not applied: the mark still knows all";
}

// --- doubt ---

TEST(ReplicaStoreDoubt, IsToldAndNoActorBornUntilThenIsUsedAgain) {
  for (const bool happened : {false, true}) {
    StoreByHand node;
    node.put(1, key, "1");
    node.put(2, other_key, "2");
    node.settle();
    const Actor actor = *node.row(key).mark;
    const Actor other_actor = *node.row(other_key).mark;
    node.put(3, key, "3");
    node.end_read();
    const EngineWork write = node.take(Work::write);
    if (happened) node.engine.perform(write);
    node.fail(write, doubt);
    EXPECT_EQ(node.heard(3), Kinds{put_doubtful});
    node.put(4, key, "4");
    node.put(5, other_key, "5");
    node.settle();
    EXPECT_EQ(node.values(key), happened ? (Values{"1", "3", "4"}) : (Values{"1", "4"}));
    EXPECT_NE(node.applied(4).dot.actor, actor);
    EXPECT_NE(node.applied(5).dot.actor, other_actor);
    EXPECT_GT(node.applied(4).dot.actor.birth, actor.birth);
    const Actor born = node.applied(4).dot.actor;
    node.put(6, key, "6");
    node.settle();
    EXPECT_EQ(node.applied(6).dot.actor, born) << "one doubt costs one birth";
  }
}

TEST(ReplicaStoreDoubt, IsWhateverTheEngineDoesNotRuleOut) {
  const std::pair<Code, bool> codes[] = {
      {Code::busy, false},     {Code::no_space, false}, {Code::would_block, false},
      {Code::closed, false},   {Code::invalid, false},  {Code::overloaded, false},
      {Code::in_doubt, true},  {Code::io_error, true},  {Code::corrupt, true},
      {Code::timed_out, true}, {Code::mismatch, true},  {Code::unavailable, true}};
  for (const auto& [code, in_doubt] : codes) {
    StoreByHand node;
    node.put(1, key, "1");
    node.end_read();
    node.fail(node.take(Work::write), {code, "?"});
    EXPECT_EQ(node.heard(1), in_doubt ? Kinds{put_doubtful} : Kinds{put_refused})
        << code_name(code);
  }
}

TEST(ReplicaStoreDoubt, OfAMergeIsItsFailureAndNoBirth) {
  StoreByHand node;
  node.put(1, key, "1");
  node.settle();
  const Actor actor = *node.row(key).mark;
  node.merge(2, key, peer_record(1, "a"));
  node.fail(node.take(Work::write), doubt);
  EXPECT_EQ(node.heard(2), Kinds{merge_failed});
  node.put(3, key, "3");
  node.settle();
  EXPECT_EQ(node.applied(3).dot.actor, actor);
}

// --- blind and exclusive ---

TEST(ReplicaStoreOrder, BlindMergesNeedNoReadAndSeveralMayBeAtTheEngine) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "a"));
  const EngineWork first = node.take(Work::write);
  node.merge(2, key, peer_record(2, "b"));
  const EngineWork second = node.take(Work::write);
  EXPECT_EQ(node.pending(Work::read), 0u);
  node.end(first);
  node.end(second);
  EXPECT_EQ(node.heard(1), Kinds{durable});
  EXPECT_EQ(node.heard(2), Kinds{durable});
  EXPECT_EQ(node.values(key), (Values{"a", "b"}));
}

TEST(ReplicaStoreOrder, APutReadsAfterEveryBlindMergeBeforeItTookEffect) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "a"));
  const EngineWork first = node.take(Work::write);
  node.merge(2, key, peer_record(2, "b"));
  node.put(3, key, "mine");
  const EngineWork second = node.take(Work::write);
  EXPECT_EQ(node.pending(Work::read), 0u);
  node.end(first);
  EXPECT_EQ(node.pending(Work::read), 0u) << "the second is still at the engine";
  node.end(second);
  EXPECT_EQ(node.pending(Work::read), 1u);
  node.settle();
  EXPECT_EQ(node.values(key), (Values{"a", "b", "mine"}));
}

TEST(ReplicaStoreOrder, AMergeThatArrivesBetweenAPutsReadAndItsWriteWaits) {
  StoreByHand node;
  node.put(1, key, "mine");
  const EngineWork reading = node.take(Work::read);
  node.merge(2, key, peer_record(1, "a"));
  EXPECT_EQ(node.pending(Work::write), 0u);
  node.end(reading);
  const EngineWork write = node.take(Work::write);
  ASSERT_EQ(write.batch.size(), 2u) << "then it follows in the same batch";
  EXPECT_EQ(write.batch.operations()[0].kind, WriteBatch::Kind::put);
  EXPECT_EQ(write.batch.operations()[1].kind, WriteBatch::Kind::merge);
  node.end(write);
  EXPECT_EQ(node.values(key), (Values{"a", "mine"}));
}

TEST(ReplicaStoreOrder, ABlindMergeEndsTheChain) {
  StoreByHand node;
  node.put(1, key, "1");
  node.merge(2, key, peer_record(1, "a"));
  node.put(3, key, "3");
  node.end_read();
  EXPECT_EQ(node.take(Work::write).batch.size(), 2u)
      << "the last put does not know what the merge leaves";
}

TEST(ReplicaStoreOrder, WithoutNativeMergeAMergeReadsToo) {
  StoreByHand node({.native_merge = false});
  node.merge(1, key, peer_record(1, "a"));
  node.put(2, key, "mine");
  node.merge(3, key, peer_record(2, "b"));
  node.end_read();
  const EngineWork write = node.take(Work::write);
  EXPECT_EQ(write.batch.size(), 3u) << "one chain";
  for (const auto& operation : write.batch.operations())
    EXPECT_EQ(operation.kind, WriteBatch::Kind::put);
  node.end(write);
  EXPECT_EQ(node.values(key), (Values{"a", "b", "mine"}));
  EXPECT_TRUE(node.row(key).mark);
}

TEST(ReplicaStoreOrder, WithoutNativeMergeAReadThatFailsIsNoMerge) {
  for (const Status& error : {io_error, corrupt}) {
    StoreByHand node({.native_merge = false});
    node.engine.unreadable[stored()] = error;
    node.merge(1, key, peer_record(1, "a"));
    node.settle();
    EXPECT_EQ(node.heard(1), Kinds{merge_failed});
    EXPECT_TRUE(node.engine.rows.empty());
  }
}

TEST(ReplicaStoreOrder, OtherKeysDoNotWait) {
  StoreByHand node;
  node.put(1, key, "1");
  node.take(Work::read);
  node.put(2, other_key, "2");
  node.settle();
  EXPECT_EQ(node.heard(2), (Kinds{put_applied, durable}));
  EXPECT_TRUE(node.heard(1).empty());
}

TEST(ReplicaStoreOrder, TooManyWaitersOfOneKeyAreRefused) {
  StoreByHand node;
  for (std::uint64_t token = 0; token <= limits::key_waiters_max; ++token)
    node.put(token, key, "v");
  EXPECT_TRUE(node.events.empty());
  node.put(limits::key_waiters_max + 1, key, "v");
  EXPECT_EQ(node.last(limits::key_waiters_max + 1).status.code(), Code::overloaded);
  EXPECT_TRUE(node.store.call_off(limits::key_waiters_max + 1));
}

TEST(ReplicaStoreMerge, WhatCannotBeDecodedIsRefusedAtOnce) {
  StoreByHand node;
  const Bytes good = encode_record(peer_record(1, "a"), key);
  node.store.merge(1, RowKind::data, other_key, good, false, node.moment);
  node.store.merge(2, RowKind::data, key, good.substr(1), false, node.moment);
  node.settle();
  for (auto& event : node.take_events()) {
    EXPECT_EQ(event.kind, merge_failed);
    EXPECT_EQ(event.status.code(), Code::corrupt);
  }
  EXPECT_TRUE(node.engine.rows.empty());
}

TEST(ReplicaStoreMerge, HealReplacesWhatCannotBeDecodedOrRead) {
  for (const bool native : {true, false}) {
    StoreByHand node({.native_merge = native});
    node.engine.rows[stored()] = "junk";
    node.merge(1, key, peer_record(1, "a"));
    node.settle();
    EXPECT_TRUE(node.row(key).is_damaged()) << "an ordinary merge keeps those bytes";
    node.merge(2, key, peer_record(2, "b"), RowKind::data, /*heal=*/true);
    node.settle();
    EXPECT_FALSE(node.row(key).is_damaged());
    EXPECT_EQ(node.values(key), (Values{"a", "b"}));

    node.engine.unreadable[stored()] = corrupt;
    node.merge(3, key, peer_record(3, "c"), RowKind::data, /*heal=*/true);
    node.settle();
    EXPECT_EQ(node.heard(3), Kinds{durable});
    EXPECT_EQ(node.values(key), Values{"c"});
    node.engine.unreadable[stored()] = io_error;
    node.merge(4, key, peer_record(4, "d"), RowKind::data, /*heal=*/true);
    node.settle();
    EXPECT_EQ(node.heard(4), Kinds{merge_failed}) << "an I/O error is no damage";
  }
}

// --- calling off ---

TEST(ReplicaStoreCallOff, BeforeItsTurnNothingIsWritten) {
  StoreByHand node;
  node.put(1, key, "1");
  node.put(2, key, "2");
  node.put(3, key, "3");
  EXPECT_TRUE(node.store.call_off(1)) << "being read";
  EXPECT_TRUE(node.store.call_off(3)) << "waiting";
  EXPECT_TRUE(node.store.call_off(9)) << "unknown";
  node.settle();
  EXPECT_EQ(node.values(key), Values{"2"});
  for (const std::uint64_t token : {1, 3}) {
    EXPECT_EQ(node.heard(token), Kinds{put_refused});
    EXPECT_EQ(node.last(token).status.code(), Code::timed_out);
  }
  EXPECT_EQ(node.heard(2), (Kinds{put_applied, durable}));
}

TEST(ReplicaStoreCallOff, OnceTheWriteIsInABatchItIsTooLate) {
  StoreByHand node({.durability = Durability::disk});
  node.put(1, key, "1");
  node.end_read();
  EXPECT_FALSE(node.store.call_off(1)) << "in the batch";
  const EngineWork write = node.take(Work::write);
  EXPECT_FALSE(node.store.call_off(1)) << "at the engine";
  node.end(write);
  EXPECT_FALSE(node.store.call_off(1)) << "waiting for the sync";
  node.settle();
  EXPECT_EQ(node.heard(1), (Kinds{put_applied, durable}));
}

// --- folding ---

TEST(ReplicaStoreFold, AfterSoManyBlindWritesTheRowIsWrittenWhole) {
  StoreByHand node;
  for (std::uint64_t i = 1; i < limits::max_operands; ++i) node.merge(i, key, peer_record(i, "v"));
  node.settle();
  node.merge(99, key, peer_record(99, "v"));
  const EngineWork last_blind = node.take(Work::write);
  EXPECT_EQ(node.pending(Work::read), 0u) << "it waits for the last blind write";
  node.end(last_blind);
  node.end_read();
  const EngineWork fold = node.take(Work::write);
  ASSERT_EQ(fold.batch.size(), 1u);
  EXPECT_EQ(fold.batch.operations()[0].kind, WriteBatch::Kind::put);
  node.end(fold);
  EXPECT_EQ(node.values(key).size(), limits::max_operands);
  for (std::uint64_t i = 1; i < limits::max_operands; ++i)
    node.merge(100 + i, key, peer_record(100 + i, "v"));
  node.end_write();
  EXPECT_EQ(node.pending(Work::read), 0u) << "it counts anew";
  for (const auto& event : node.events) EXPECT_EQ(event.kind, durable);
}

TEST(ReplicaStoreFold, IsNotNeededWhereTheEngineFoldsAtOnce) {
  StoreByHand node({.folds_at_once = true});
  for (std::uint64_t i = 1; i <= 2 * limits::max_operands; ++i) {
    node.merge(i, key, peer_record(i, "v"));
    node.end_write();
    ASSERT_EQ(node.pending(Work::read), 0u) << i;
  }
  EXPECT_EQ(node.values(key).size(), 2 * limits::max_operands);
}

TEST(ReplicaStoreFold, KeepsTheMarkAndWhatCameMeanwhile) {
  StoreByHand node;
  node.put(1, key, "mine");
  node.settle();
  for (std::uint64_t i = 2; i < 2 + limits::max_operands; ++i)
    node.merge(i, key, peer_record(i, "v"));
  node.end_write();
  const EngineWork reading = node.take(Work::read);
  node.merge(99, key, peer_record(99, "late"));
  node.end(reading);
  node.settle();
  EXPECT_TRUE(node.row(key).mark);
  EXPECT_EQ(node.values(key).size(), limits::max_operands + 2);
}

TEST(ReplicaStoreFold, OfARowThatWasRemovedWritesNothing) {
  StoreByHand node;
  for (std::uint64_t i = 1; i <= limits::max_operands; ++i)
    node.merge(i, key, peer_record(i, "v"), RowKind::fallback);
  node.end_write();
  node.engine.rows.clear();
  node.settle();
  EXPECT_TRUE(node.engine.rows.empty());
  node.put(99, key, "v");
  node.settle();
  EXPECT_EQ(node.values(key), Values{"v"}) << "its line goes on";
}

TEST(ReplicaStoreFold, CountsEachRowOfAKeyAlone) {
  StoreByHand node;
  for (std::uint64_t i = 1; i < limits::max_operands; ++i) {
    node.merge(2 * i, key, peer_record(2 * i, "v"), RowKind::fallback);
    node.merge(2 * i + 1, key, peer_record(2 * i + 1, "v"));
  }
  node.end_write();
  EXPECT_EQ(node.pending(Work::read), 0u);
}

// --- removal ---

TEST(ReplicaStoreRemoval, TakesTheRowThatWasDelivered) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "a"), RowKind::fallback);
  node.merge(2, key, peer_record(1, "a"));
  node.settle();
  node.remove(3, key, peer_record(1, "a"));
  node.settle();
  EXPECT_EQ(node.heard(3), Kinds{removed});
  EXPECT_TRUE(node.last(3).status.is_ok());
  EXPECT_EQ(node.engine.rows.count(stored(RowKind::fallback)), 0u);
  EXPECT_EQ(node.values(key), Values{"a"}) << "the data row is another matter";
}

TEST(ReplicaStoreRemoval, LeavesARowThatHasChangedIsDamagedOrCannotBeRead) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "a"), RowKind::fallback);
  node.settle();
  node.merge(2, key, peer_record(2, "b"), RowKind::fallback);
  node.remove(3, key, peer_record(1, "a"));
  node.settle();
  EXPECT_EQ(node.last(3).status.code(), Code::busy);
  EXPECT_EQ(node.values(key, RowKind::fallback), (Values{"a", "b"}));

  node.engine.rows[stored(RowKind::fallback)] = "junk";
  node.remove(4, key, peer_record(1, "a"));
  node.settle();
  EXPECT_FALSE(node.last(4).status.is_ok());
  EXPECT_EQ(node.engine.rows.count(stored(RowKind::fallback)), 1u);

  node.engine.unreadable[stored(RowKind::fallback)] = io_error;
  node.remove(5, key, peer_record(1, "a"));
  node.settle();
  EXPECT_EQ(node.last(5).status.code(), Code::io_error);
}

TEST(ReplicaStoreRemoval, LooksAtWhatAPutOfTheSameWakeUpWillLeave) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "a"), RowKind::fallback);
  node.settle();
  node.put(2, key, "new", {}, RowKind::fallback);
  node.remove(3, key, peer_record(1, "a"));
  node.settle();
  EXPECT_EQ(node.last(3).status.code(), Code::busy);
  EXPECT_EQ(node.values(key, RowKind::fallback), (Values{"a", "new"}));
}

TEST(ReplicaStoreRemoval, APutThatFollowsStartsFromNothing) {
  StoreByHand node;
  node.put(1, key, "old", {}, RowKind::fallback);
  node.settle();
  const Row before = node.row(key, RowKind::fallback);
  node.remove(2, key, before.record);
  node.put(3, key, "new", {}, RowKind::fallback);
  node.end_read();
  EXPECT_EQ(node.take(Work::write).batch.size(), 2u);
  EXPECT_TRUE(node.heard(2).empty());
}

TEST(ReplicaStoreRemoval, TakesTheMarkAlong) {
  StoreByHand node;
  node.put(1, key, "old", {}, RowKind::fallback);
  node.settle();
  const Row before = node.row(key, RowKind::fallback);
  node.remove(2, key, before.record);
  node.put(3, key, "new", {}, RowKind::fallback);
  node.settle();
  EXPECT_EQ(node.values(key, RowKind::fallback), Values{"new"});
  EXPECT_NE(node.row(key, RowKind::fallback).mark, before.mark);
}

// --- are there fallback rows? ---

TEST(ReplicaStoreFallbacks, AreCountedWhenIssuedAndAgainWhenTheyShow) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "a"));
  EXPECT_EQ(node.store.fallback_writes(), 0u);
  node.merge(2, key, peer_record(1, "a"), RowKind::fallback);
  EXPECT_EQ(node.store.fallback_writes(), 1u);
  node.end_write();
  EXPECT_EQ(node.store.fallback_writes(), 2u);
  node.put(3, key, "v", {}, RowKind::fallback);
  EXPECT_EQ(node.store.fallback_writes(), 2u);
  node.end_read();
  EXPECT_EQ(node.store.fallback_writes(), 3u);
  node.end_write();
  EXPECT_EQ(node.store.fallback_writes(), 4u);
}

TEST(ReplicaStoreFallbacks, OnceNoneIsLeftReadsSkipTheirRow) {
  StoreByHand node;
  EXPECT_TRUE(node.store.may_hold_fallback_rows()) << "an earlier run may have left some";
  node.store.no_fallback_rows(node.store.fallback_writes());
  EXPECT_FALSE(node.store.may_hold_fallback_rows());
  node.store.read(1, key);
  EXPECT_EQ(node.take(Work::read).keys, Values{stored()});
  node.put(2, key, "v");
  const EngineWork reading = node.take(Work::read);
  EXPECT_EQ(reading.keys, Values{stored()});
  node.end(reading);
  node.settle();
  EXPECT_EQ(node.values(key), Values{"v"});
  node.merge(3, other_key, peer_record(1, "a"), RowKind::fallback);
  node.store.read(4, key);
  EXPECT_EQ(node.take(Work::read).keys.size(), 2u);
}

// A scan sees what showed when it began: a write that was on its way makes its word worthless.
TEST(ReplicaStoreFallbacks, AnOldCountProvesNothing) {
  StoreByHand node;
  const std::uint64_t before = node.store.fallback_writes();
  node.merge(1, key, peer_record(1, "a"), RowKind::fallback);
  node.store.no_fallback_rows(before);
  EXPECT_TRUE(node.store.may_hold_fallback_rows());
  const std::uint64_t issued = node.store.fallback_writes();
  node.end_write();
  node.store.no_fallback_rows(issued);
  EXPECT_TRUE(node.store.may_hold_fallback_rows());
  node.store.read(2, key);
  node.settle();
  EXPECT_EQ(node.last(2).record, encode_record(peer_record(1, "a"), key));
}

TEST(ReplicaStoreScan, GivesTheRowsAndFailuresOfTheEngine) {
  StoreByHand node;
  node.merge(1, key, peer_record(1, "a"), RowKind::fallback);
  node.settle();
  node.store.scan(2, {storage_key_start(RowKind::fallback), {}}, 5);
  node.settle();
  EXPECT_EQ(node.heard(2), Kinds{scanned});
  ASSERT_EQ(node.last(2).rows.size(), 1u);
  EXPECT_EQ(node.last(2).rows[0].first, stored(RowKind::fallback));
  node.store.scan(3, {}, 5);
  node.fail(node.take(Work::scan), io_error);
  EXPECT_EQ(node.last(3).status.code(), Code::io_error);
}

// --- kind lww ---

TEST(ReplicaStoreLww, WhereTheEngineMergesAPutIsBlind) {
  StoreByHand node({.kind = RecordKind::lww});
  node.put(1, key, "1");
  const EngineWork first = node.take(Work::write);
  EXPECT_EQ(first.batch.operations()[0].kind, WriteBatch::Kind::merge);
  node.put(2, key, "2");
  const EngineWork second = node.take(Work::write);
  EXPECT_EQ(node.pending(Work::read), 0u);
  EXPECT_FALSE(node.store.call_off(2));
  node.end(first);
  node.end(second);
  EXPECT_EQ(node.values(key), Values{"2"});
  EXPECT_EQ(node.heard(1), (Kinds{put_applied, durable}));
  EXPECT_GT(node.applied(2).context.stamp, node.applied(1).context.stamp);
}

TEST(ReplicaStoreLww, ElsewhereItIsReadComparedAndWritten) {
  StoreByHand node({.kind = RecordKind::lww, .native_merge = false});
  Record ahead;
  ahead.kind = RecordKind::lww;
  ahead.siblings.emplace_back();
  ahead.siblings[0].stamp = timestamp_at(node.moment.wall_us + 1'000);
  ahead.siblings[0].value = "ahead";
  node.merge(1, key, ahead);
  node.settle();
  node.put(2, key, "behind");
  EXPECT_EQ(node.pending(Work::read), 1u);
  node.settle();
  EXPECT_EQ(node.heard(2), (Kinds{put_applied, durable}));
  EXPECT_EQ(node.values(key), Values{"ahead"});
  const Record sent = decode_record(node.applied(2).record, key, RecordKind::lww).value();
  EXPECT_EQ(sent.siblings[0].value, "behind") << "every replica decides the same";
  node.moment.wall_us += 2'000;
  node.put(3, key, "later");
  node.put(4, key, "last");
  node.settle();
  EXPECT_EQ(node.values(key), Values{"last"});
}

}  // namespace
}  // namespace ringwright
