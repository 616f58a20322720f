#include "replication/coordinator/get_operation.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/hash.h"
#include "replication/version/merge.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using State = GetOperation::State;
using Members = std::vector<std::uint32_t>;
using test::any_key;

const Status io_error{Code::io_error, "the disk failed"};
const Status damaged{Code::corrupt, "the record fails its checksum"};
const Bytes absent;

Record record_with(std::uint64_t node, Bytes value) {
  Record record;
  const Dot dot{{{0, node}, 5, 1}, 2};
  record.vector.raise(dot, 3);
  record.siblings.emplace_back();
  record.siblings[0].dot = dot;
  record.siblings[0].value = std::move(value);
  return record;
}
Bytes bytes_of(const Record& record) { return encode_record(record, any_key); }
const Bytes a = bytes_of(record_with(1, "a"));
const Bytes b = bytes_of(record_with(2, "b"));
const Bytes both = bytes_of(merge_records(record_with(1, "a"), record_with(2, "b")));

// Primaries 0 to `primaries` - 1, then stand-ins.
std::vector<PreferenceEntry> candidates(std::uint32_t primaries, std::uint32_t fallbacks = 0) {
  std::vector<PreferenceEntry> entries;
  for (std::uint32_t member = 0; member < primaries; ++member)
    entries.push_back({member, Role::primary, member});
  for (std::uint32_t i = 0; i < fallbacks; ++i)
    entries.push_back({primaries + i, Role::fallback, i});
  return entries;
}

// Of the three primaries of a key `ask` are asked and r must answer.
GetOperation get_of_three(std::uint32_t r, std::uint32_t ask) {
  return {candidates(3), 3, r, ask, RecordKind::siblings};
}

Bytes merged_bytes(const GetOperation& get) { return bytes_of(get.merged()); }

Members repaired(const GetOperation& get, bool heal = false) {
  Members members;
  for (const auto& repair : get.repairs(merged_bytes(get)))
    if (repair.heal == heal) members.push_back(repair.member);
  return members;
}

TEST(GetOperation, AsksTheFirstCandidatesAndEachOnce) {
  GetOperation get = get_of_three(2, 2);
  EXPECT_EQ(get.state(), State::waiting);
  EXPECT_EQ(get.take_asks(), (Members{0, 1}));
  EXPECT_EQ(get.take_asks(), Members{});
  EXPECT_FALSE(get.take_answer());
  GetOperation all = get_of_three(2, 3);
  EXPECT_EQ(all.take_asks(), (Members{0, 1, 2}));
}

TEST(GetOperation, OfAQuorumAnswersAndIsFinishedAtOnce) {
  GetOperation get = get_of_three(2, 2);
  get.answered(1, a, any_key);
  EXPECT_EQ(get.state(), State::waiting);
  get.answered(0, b, any_key);
  EXPECT_EQ(get.state(), State::finished);
  const Answer answer = get.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::ok);
  EXPECT_EQ(answer.required, 2u);
  EXPECT_EQ(answer.received, 2u);
  EXPECT_EQ(merged_bytes(get), both);
  EXPECT_FALSE(get.take_answer());
}

TEST(GetOperation, OfAllAnswersAfterRAndIsFinishedAfterTheLast) {
  GetOperation get = get_of_three(2, 3);
  get.answered(2, a, any_key);
  get.answered(0, a, any_key);
  EXPECT_EQ(get.state(), State::answered);
  EXPECT_EQ(get.take_answer().value().outcome, Outcome::ok);
  EXPECT_EQ(merged_bytes(get), a);
  get.answered(1, b, any_key);
  EXPECT_EQ(get.state(), State::finished);
  EXPECT_FALSE(get.take_answer()) << "the client has its answer";
  EXPECT_EQ(merged_bytes(get), both) << "the repair has the late one too";
  EXPECT_EQ(repaired(get), (Members{0, 1, 2}));
}

TEST(GetOperation, AbsentIsAGoodAnswer) {
  GetOperation get = get_of_three(2, 2);
  get.answered(0, absent, any_key);
  get.answered(1, absent, any_key);
  EXPECT_EQ(get.take_answer().value().outcome, Outcome::ok);
  EXPECT_TRUE(get.merged().empty());
  EXPECT_TRUE(get.repairs(absent).empty());
}

TEST(GetOperation, AReplicaThatLacksTheRecordIsStale) {
  GetOperation get = get_of_three(2, 3);
  get.answered(0, absent, any_key);
  get.answered(1, a, any_key);
  get.answered(2, a, any_key);
  EXPECT_EQ(repaired(get), Members{0});
}

TEST(GetOperation, AnErrorIsNeverAbsence) {
  for (const Status& error : {io_error, damaged}) {
    GetOperation get = get_of_three(2, 3);
    get.failed(0, error);
    get.answered(1, absent, any_key);
    EXPECT_FALSE(get.take_answer());
    get.failed(2, error);
    const Answer answer = get.take_answer().value();
    EXPECT_EQ(answer.outcome, Outcome::failed);
    EXPECT_EQ(answer.required, 2u);
    EXPECT_EQ(answer.received, 1u);
  }
}

TEST(GetOperation, FailureNamesDamageAndTheLastErrorElseUnavailable) {
  for (const auto& [error, code] :
       {std::pair(io_error, Code::unavailable), std::pair(damaged, Code::corrupt)}) {
    GetOperation get = get_of_three(3, 3);
    get.failed(0, error);
    const Answer answer = get.take_answer().value();
    EXPECT_EQ(answer.status.code(), code);
    EXPECT_NE(answer.status.message().find(error.message()), std::string::npos);
    EXPECT_NE(answer.status.message().find("0 of the 3 needed"), std::string::npos);
  }
}

TEST(GetOperation, AnErrorAsksTheNextCandidateAndOnlyOne) {
  GetOperation get(candidates(3, 1), 3, 2, 2, RecordKind::siblings);
  EXPECT_EQ(get.take_asks(), (Members{0, 1}));
  get.failed(0, io_error);
  EXPECT_EQ(get.take_asks(), Members{2});
  EXPECT_FALSE(get.take_answer());
  get.failed(2, io_error);
  EXPECT_EQ(get.take_asks(), Members{3});
  get.answered(1, a, any_key);
  get.answered(3, a, any_key);
  EXPECT_EQ(get.take_answer().value().outcome, Outcome::ok);
  EXPECT_EQ(get.state(), State::finished);
}

TEST(GetOperation, FailsOnceNoCandidateIsLeft) {
  GetOperation get = get_of_three(2, 2);
  get.failed(0, io_error);
  get.failed(1, io_error);
  EXPECT_EQ(get.state(), State::answered) << "one that was asked may still help the repair";
  EXPECT_EQ(get.take_answer().value().outcome, Outcome::failed);
  get.answered(2, a, any_key);
  EXPECT_EQ(get.state(), State::finished);
  EXPECT_FALSE(get.take_answer());
}

TEST(GetOperation, AnErrorAfterTheAnswerAsksNobody) {
  GetOperation get(candidates(3, 1), 3, 2, 3, RecordKind::siblings);
  EXPECT_EQ(get.take_asks().size(), 3u);
  get.answered(0, a, any_key);
  get.answered(1, a, any_key);
  get.failed(2, io_error);
  EXPECT_EQ(get.take_asks(), Members{});
  EXPECT_EQ(get.state(), State::finished);
}

TEST(GetOperation, EachReplicaCountsOnceAndByItsFirstWord) {
  GetOperation get = get_of_three(2, 2);
  get.answered(0, a, any_key);
  get.answered(0, b, any_key);
  get.failed(0, io_error);
  get.answered(2, b, any_key);  // never asked
  get.answered(9, b, any_key);
  get.failed(9, io_error);
  EXPECT_FALSE(get.take_answer());
  EXPECT_EQ(merged_bytes(get), a);
  get.take_asks();
  get.failed(1, io_error);
  get.answered(1, b, any_key);
  EXPECT_EQ(get.take_asks(), Members{2});
  EXPECT_FALSE(get.take_answer());
  get.answered(2, b, any_key);
  EXPECT_TRUE(get.take_answer());
}

TEST(GetOperation, DeadlineWhileWaitingFails) {
  GetOperation get = get_of_three(2, 3);
  get.answered(0, a, any_key);
  get.deadline_passed();
  EXPECT_EQ(get.state(), State::finished);
  const Answer answer = get.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::failed);
  EXPECT_EQ(answer.status.code(), Code::timed_out);
  EXPECT_EQ(answer.received, 1u);
  get.answered(1, a, any_key);
  get.answered(2, a, any_key);
  EXPECT_FALSE(get.take_answer()) << "the client was told that it failed";
  EXPECT_EQ(get.state(), State::finished);
}

TEST(GetOperation, DeadlineAfterTheAnswerOnlyFinishes) {
  GetOperation get = get_of_three(2, 3);
  get.answered(0, a, any_key);
  get.answered(1, both, any_key);
  EXPECT_TRUE(get.take_answer());
  get.deadline_passed();
  EXPECT_EQ(get.state(), State::finished);
  EXPECT_FALSE(get.take_answer());
  EXPECT_EQ(repaired(get), Members{0}) << "nobody knows what the silent one has";
}

TEST(GetOperation, NothingIsRepairedWhenAllAgree) {
  GetOperation get = get_of_three(2, 3);
  for (std::uint32_t member = 0; member < 3; ++member) get.answered(member, both, any_key);
  EXPECT_TRUE(get.repairs(both).empty());
}

TEST(GetOperation, FallbacksHelpTheAnswerAndAreNeverRepaired) {
  GetOperation get(candidates(2, 1), 3, 2, 3, RecordKind::siblings);
  get.answered(0, a, any_key);
  get.answered(2, b, any_key);
  EXPECT_EQ(merged_bytes(get), both);
  get.answered(1, absent, any_key);
  EXPECT_EQ(repaired(get), (Members{0, 1}));
}

TEST(GetOperation, DamageIsHealedOnlyWhenEveryOtherPrimaryIsGood) {
  enum class Other { good, silent, failed, damaged_too };
  for (const Other other : {Other::good, Other::silent, Other::failed, Other::damaged_too}) {
    GetOperation get = get_of_three(1, 3);
    get.failed(0, damaged);
    get.answered(1, a, any_key);
    if (other == Other::good) get.answered(2, a, any_key);
    if (other == Other::failed) get.failed(2, io_error);
    if (other == Other::damaged_too) get.failed(2, damaged);
    if (other == Other::silent) get.deadline_passed();
    EXPECT_EQ(get.state(), State::finished);
    EXPECT_EQ(repaired(get, /*heal=*/true), other == Other::good ? Members{0} : Members{});
    EXPECT_EQ(repaired(get), Members{}) << "not overwritten as if it were merely stale";
  }
}

// With nothing good to heal from, the damaged bytes are all that is left of the key.
TEST(GetOperation, TheOnlyCopyIsNotHealedWithNothing) {
  GetOperation get(candidates(1), 1, 1, 1, RecordKind::siblings);
  get.failed(0, damaged);
  EXPECT_EQ(get.state(), State::finished);
  EXPECT_EQ(get.take_answer().value().status.code(), Code::corrupt);
  EXPECT_TRUE(get.repairs({}).empty());
}

TEST(GetOperation, AFallbackDoesNotMakeUpForAPrimaryThatIsMissing) {
  GetOperation get(candidates(2, 1), 3, 1, 3, RecordKind::siblings);
  get.failed(0, damaged);
  get.answered(1, a, any_key);
  get.answered(2, a, any_key);
  EXPECT_EQ(repaired(get, /*heal=*/true), Members{});
}

TEST(GetOperation, ADamagedFallbackIsNotHealed) {
  GetOperation get(candidates(3, 1), 3, 1, 4, RecordKind::siblings);
  for (std::uint32_t member = 0; member < 3; ++member) get.answered(member, a, any_key);
  get.failed(3, damaged);
  EXPECT_TRUE(get.repairs(a).empty());
}

TEST(GetOperation, ADamagedFallbackIsNotHealedInAMissingPrimarysPlace) {
  GetOperation get(candidates(3, 1), 3, 1, 4, RecordKind::siblings);
  get.answered(0, a, any_key);
  get.answered(1, a, any_key);
  get.failed(3, damaged);
  get.deadline_passed();
  EXPECT_TRUE(get.repairs(a).empty());
}

TEST(GetOperation, IoErrorIsNeitherStaleNorDamaged) {
  GetOperation get = get_of_three(1, 3);
  get.failed(0, io_error);
  get.answered(1, a, any_key);
  get.answered(2, a, any_key);
  EXPECT_TRUE(get.repairs(a).empty());
}

// Whole bytes of a right checksum that are no record of this keyspace.
TEST(GetOperation, WhatCannotBeDecodedIsDamageAndNotAnAnswer) {
  Record other_kind;
  other_kind.kind = RecordKind::lww;
  other_kind.siblings.emplace_back();
  for (const Bytes& bytes : {bytes_of(other_kind), a.substr(0, a.size() - 1), Bytes("x")}) {
    GetOperation get = get_of_three(2, 2);
    get.take_asks();
    get.answered(0, bytes, any_key);
    EXPECT_EQ(get.take_asks(), Members{2}) << "the next one is asked instead";
    get.answered(1, a, any_key);
    get.answered(2, a, any_key);
    EXPECT_EQ(get.take_answer().value().outcome, Outcome::ok);
    EXPECT_EQ(merged_bytes(get), a);
    EXPECT_EQ(repaired(get, /*heal=*/true), Members{0});
  }
}

TEST(GetOperation, OfKindLwwTheGreatestIsTheMerge) {
  std::vector<Bytes> sent;
  for (const Timestamp stamp : {5, 9, 7}) {
    Record record;
    record.kind = RecordKind::lww;
    record.siblings.emplace_back();
    record.siblings[0].stamp = stamp;
    sent.push_back(bytes_of(record));
  }
  GetOperation get(candidates(3), 3, 2, 3, RecordKind::lww);
  for (std::uint32_t member = 0; member < 3; ++member) get.answered(member, sent[member], any_key);
  EXPECT_EQ(merged_bytes(get), sent[1]);
  EXPECT_EQ(repaired(get), (Members{0, 2}));
}

TEST(GetOperationDeathTest, AsksAtLeastRAndAtMostAllCandidates) {
  EXPECT_DEATH(get_of_three(3, 2), "ask");
  EXPECT_DEATH(get_of_three(2, 4), "candidates");
}

// What the candidates say, in any order, against the counts spelled out.
TEST(GetOperation, KeepsItsInvariantsInAnyOrderOfEvents) {
  for (const std::uint64_t seed : test::seeds(5000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "get operation");
    const auto all = static_cast<std::uint32_t>(1 + random.below(5));
    const auto r = static_cast<std::uint32_t>(1 + random.below(all));
    const auto ask = r + static_cast<std::uint32_t>(random.below(all - r + 1));
    GetOperation get(candidates(all), all, r, ask, RecordKind::siblings);
    std::set<std::uint32_t> asked;
    std::set<std::uint32_t> good;
    std::set<std::uint32_t> bad;
    std::optional<Outcome> expected;
    Record expected_merge;
    for (int step = 0; step < 20; ++step) {
      for (const std::uint32_t member : get.take_asks())
        ASSERT_TRUE(asked.insert(member).second) << "asked twice";
      ASSERT_TRUE(expected || asked.size() == std::min<std::size_t>(all, ask + bad.size()));
      const auto member = static_cast<std::uint32_t>(random.below(all));
      const bool counts = asked.count(member) > good.count(member) + bad.count(member);
      if (random.chance(0.6)) {
        const Record record = test::small_record(random);
        get.answered(member, record.empty() ? absent : bytes_of(record), any_key);
        if (counts) expected_merge = merge_records(expected_merge, record);
        if (counts) good.insert(member);
      } else {
        get.failed(member, random.chance(0.5) ? io_error : damaged);
        if (counts) bad.insert(member);
      }
      const auto answer = get.take_answer();
      const bool due = !expected && (good.size() >= r || all - bad.size() < r);
      ASSERT_EQ(answer.has_value(), due);
      if (due) expected = good.size() >= r ? Outcome::ok : Outcome::failed;
      if (due) {
        ASSERT_EQ(answer->outcome, *expected);
      }
      ASSERT_EQ(get.state() == State::waiting, !expected);
      ASSERT_EQ(get.merged(), expected_merge);
      ASSERT_EQ(get.canonical(any_key), expected_merge.empty() ? absent : bytes_of(expected_merge));
    }
  }
}

}  // namespace
}  // namespace ringwright
