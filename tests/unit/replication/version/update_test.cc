#include "replication/version/update.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "replication/version/merge.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

constexpr NodeId here{1, 2};
constexpr std::uint64_t start = 0xabc;

VersionVector vector_of(const Actor& actor, std::uint64_t counter, Timestamp stamp = 1) {
  VersionVector vector;
  vector.raise({actor, counter}, stamp);
  return vector;
}

TEST(DotIssuer, BirthsAndCountersAreOneSequence) {
  DotIssuer issuer(here, start);
  const Actor a = issuer.new_birth();
  EXPECT_EQ(a, (Actor{here, start, 1}));
  EXPECT_EQ(issuer.issue(a), (Dot{a, 2}));
  const Actor b = issuer.new_birth();
  EXPECT_EQ(b, (Actor{here, start, 3}));
  EXPECT_EQ(issuer.issue(a), (Dot{a, 4}));
  EXPECT_EQ(issuer.issue(b), (Dot{b, 5}));
}

TEST(DotIssuer, GoesOnUnderItsMark) {
  DotIssuer issuer(here, start);
  const Actor actor = issuer.new_birth();
  const Dot dot = issuer.issue(actor);
  const VersionVector own = vector_of(actor, dot.counter);
  EXPECT_TRUE(issuer.may_go_on(actor, own, {}));
  EXPECT_TRUE(issuer.may_go_on(actor, own, own));
  EXPECT_TRUE(issuer.may_go_on(actor, own, vector_of({{0, 9}, 9, 9}, 99)));
}

TEST(DotIssuer, NewBirthWithoutAMark) {
  DotIssuer issuer(here, start);
  issuer.new_birth();
  EXPECT_FALSE(issuer.may_go_on(std::nullopt, {}, {}));
}

TEST(DotIssuer, NewBirthForAMarkOfAnotherStartOrNode) {
  DotIssuer issuer(here, start);
  const Actor actor = issuer.new_birth();
  EXPECT_FALSE(issuer.may_go_on(Actor{here, start + 1, actor.birth}, {}, {}));
  EXPECT_FALSE(issuer.may_go_on(Actor{{1, 3}, start, actor.birth}, {}, {}));
}

TEST(DotIssuer, NewBirthAfterAnApplyInDoubt) {
  DotIssuer issuer(here, start);
  const Actor actor = issuer.new_birth();
  issuer.issue(actor);
  issuer.doubt();
  EXPECT_FALSE(issuer.may_go_on(actor, {}, {}));
  EXPECT_FALSE(issuer.may_go_on(Actor{here, start, 2}, {}, {})) << "not above the doubt";
  const Actor later = issuer.new_birth();
  EXPECT_TRUE(issuer.may_go_on(later, {}, {}));
  EXPECT_FALSE(issuer.may_go_on(actor, {}, {}));
}

TEST(DotIssuer, NewBirthWhenTheClientHasSeenMoreOfTheActor) {
  DotIssuer issuer(here, start);
  const Actor actor = issuer.new_birth();
  EXPECT_FALSE(issuer.may_go_on(actor, vector_of(actor, 4), vector_of(actor, 5)));
  EXPECT_FALSE(issuer.may_go_on(actor, {}, vector_of(actor, 1)));
}

VersionVector detached(std::initializer_list<Dot> dots) {
  VersionVector vector;
  for (const Dot& dot : dots) vector.add_detached(dot, 1);
  return vector;
}

TEST(DotIssuer, NewBirthWhenTheClientKnowsADetachedDotThatThisCopyLacks) {
  DotIssuer issuer(here, start);
  const Actor actor = issuer.new_birth();
  EXPECT_TRUE(issuer.may_go_on(actor, vector_of(actor, 4), detached({{actor, 4}})));
  EXPECT_TRUE(issuer.may_go_on(actor, vector_of(actor, 4), detached({{{here, start, 9}, 9}})));
  EXPECT_FALSE(issuer.may_go_on(actor, vector_of(actor, 4), detached({{actor, 2}, {actor, 5}})));
  EXPECT_FALSE(issuer.may_go_on(actor, {}, detached({{actor, 1}})));
}

TEST(DotIssuer, RefusesADetachedDotOfThePresentStartBeyondItsSequence) {
  DotIssuer issuer(here, start);
  const Actor actor = issuer.new_birth();
  const Dot dot = issuer.issue(actor);
  EXPECT_TRUE(issuer.check(detached({dot})).is_ok());
  EXPECT_EQ(issuer.check(detached({{actor, dot.counter + 1}})).code(), Code::invalid);
  EXPECT_EQ(issuer.check(detached({{{here, start, dot.counter + 1}, 1}})).code(), Code::invalid);
  EXPECT_TRUE(issuer.check(detached({{{here, start + 1, 9}, UINT64_MAX}})).is_ok());
  EXPECT_TRUE(issuer.check(detached({{{{1, 3}, start, 9}, UINT64_MAX}})).is_ok());
}

TEST(DotIssuer, RefusesThePresentStartBeyondItsSequence) {
  DotIssuer issuer(here, start);
  const Actor actor = issuer.new_birth();
  const Dot dot = issuer.issue(actor);
  EXPECT_TRUE(issuer.check(vector_of(actor, dot.counter)).is_ok());
  EXPECT_EQ(issuer.check(vector_of(actor, dot.counter + 1)).code(), Code::invalid);
  EXPECT_EQ(issuer.check(vector_of({here, start, dot.counter + 1}, 1)).code(), Code::invalid);
}

TEST(DotIssuer, AcceptsAnyOtherStart) {
  DotIssuer issuer(here, start);
  EXPECT_TRUE(issuer.check({}).is_ok());
  EXPECT_TRUE(issuer.check(vector_of({here, start + 1, 9}, UINT64_MAX)).is_ok());
  EXPECT_TRUE(issuer.check(vector_of({{1, 3}, start, 9}, UINT64_MAX)).is_ok());
}

const Actor a{{0, 1}, 5, 1};
const Actor b{{0, 2}, 5, 1};

Sibling written(Dot dot, Timestamp stamp, Bytes value = "new") {
  Sibling sibling;
  sibling.dot = dot;
  sibling.stamp = stamp;
  sibling.value = std::move(value);
  return sibling;
}

Record record_of(std::initializer_list<Dot> dots) {
  Record record;
  for (const Dot& dot : dots) {
    record.vector.raise(dot, dot.counter);
    record.siblings.push_back(written(dot, dot.counter, "old"));
  }
  return record;
}

Context seen(const VersionVector& vector) {
  Context context;
  context.vector = vector;
  context.stamp = vector.latest_stamp();
  return context;
}

Timestamp stamp_of(const VersionVector& vector, const Actor& actor) {
  for (const auto& entry : vector.entries())
    if (entry.actor == actor) return entry.stamp;
  return 0;
}
Timestamp stamp_of(const Record& record, const Actor& actor) {
  return stamp_of(record.vector, actor);
}
bool takes_one_of(const Context& context, const Record& record, const Actor& actor) {
  return std::any_of(record.siblings.begin(), record.siblings.end(), [&](const Sibling& sibling) {
    return sibling.dot.actor == actor && context.vector.covers(sibling.dot);
  });
}

std::set<Dot> dots_of(const Record& record) {
  std::set<Dot> dots;
  for (const Sibling& sibling : record.siblings) dots.insert(sibling.dot);
  return dots;
}

TEST(ApplyUpdate, DiscardsWhatTheContextCoversAndKeepsTheRest) {
  const Record own = record_of({{a, 1}, {a, 2}, {b, 1}});
  const Record after = apply_update(own, seen(vector_of(a, 1)), written({b, 7}, 70));
  EXPECT_EQ(dots_of(after), (std::set<Dot>{{a, 2}, {b, 1}, {b, 7}}));
  EXPECT_EQ(after.vector.counter_of(a), 2u);
  EXPECT_EQ(after.vector.counter_of(b), 7u);
  EXPECT_EQ(after.find({b, 7})->value, "new");
}

TEST(ApplyUpdate, WithoutAContextIsConcurrentWithEverything) {
  const Record after = apply_update(record_of({{a, 1}, {b, 1}}), {}, written({a, 2}, 70));
  EXPECT_EQ(dots_of(after), (std::set<Dot>{{a, 1}, {a, 2}, {b, 1}}));
}

TEST(ApplyUpdate, TakesOverAContextAheadOfTheOwnVector) {
  const Record after = apply_update({}, seen(vector_of(a, 7, 7)), written({b, 1}, 70));
  EXPECT_EQ(after.vector.counter_of(a), 7u);
  EXPECT_EQ(merge_records(after, record_of({{a, 7}})).find({a, 7}), nullptr)
      << "what the client replaced is gone also where this copy never had it";
}

TEST(ApplyUpdate, StampOfAnEntryBecomesThatOfTheWriteThatTookALiveDotOfIt) {
  const Record own = record_of({{a, 1}, {a, 2}});
  EXPECT_EQ(stamp_of(apply_update(own, seen(vector_of(a, 1)), written({b, 7}, 70)), a), 70u);
  EXPECT_EQ(stamp_of(apply_update(own, seen(vector_of(a, 2)), written({b, 7}, 70)), a), 70u);
}

// Each of two writes takes one sibling while the other is still live beside it. When their records
// meet none is live, and no copy may forget them before both writes are known everywhere.
TEST(ApplyUpdate, WritesThatTakeOneDotEachBothDecideWhenTheEntryMayGo) {
  const Record both = record_of({{a, 7}, {a, 9}});
  const Record first = apply_update(both, seen(detached({{a, 9}})), written({b, 1}, 60));
  const Record second = apply_update(both, seen(detached({{a, 7}})), written({b, 2}, 70));
  EXPECT_EQ(stamp_of(merge_records(first, second), a), 70u);
  const Record by_entry = apply_update(both, seen(vector_of(a, 7)), written({b, 2}, 70));
  EXPECT_EQ(stamp_of(merge_records(first, by_entry), a), 70u);
}

TEST(ApplyUpdate, StampOfADetachedDotThatOnlyTheContextKnowsBecomesThatOfTheWrite) {
  const Record after =
      apply_update(record_of({{a, 3}}), seen(detached({{a, 9}})), written({b, 1}, 70));
  ASSERT_EQ(after.vector.detached().size(), 1u);
  EXPECT_EQ(after.vector.detached()[0], (VersionVector::Detached{{a, 9}, 70}));
  EXPECT_EQ(stamp_of(after, a), 3u);
  const Record again = apply_update(after, seen(detached({{a, 9}})), written({b, 2}, 80));
  EXPECT_EQ(again.vector.detached()[0].stamp, 70u) << "this write takes nothing anew";
  EXPECT_EQ(stamp_of(merge_records(after, record_of({{a, 3}, {a, 9}})), a), 70u);
}

TEST(ApplyUpdate, DetachedDotTakesItsSiblingAndNotThoseOfTheSameActorBeforeIt) {
  const Record own = record_of({{a, 3}, {a, 7}, {a, 9}, {b, 1}});
  const Record after = apply_update(own, seen(detached({{a, 7}})), written({b, 2}, 70));
  EXPECT_EQ(dots_of(after), (std::set<Dot>{{a, 3}, {a, 9}, {b, 1}, {b, 2}}));
  EXPECT_TRUE(after.vector.detached().empty()) << "the own entry covers it";
}

// Whatever the coordinator had, and whatever the copy has that its record reaches.
TEST(ApplyUpdate, DetachedDotIsTakenExactlyWhereverTheRecordIsMerged) {
  constexpr std::uint64_t writes = 5;
  std::vector<Record> versions(1);
  for (std::uint64_t counter = 1; counter <= writes; ++counter) {
    versions.push_back(versions.back());
    versions.back().vector.raise({a, counter}, counter);
    versions.back().siblings.push_back(written({a, counter}, counter, "old"));
  }
  for (std::uint64_t known = 0; known <= writes; ++known) {
    for (std::uint64_t taken = 1; taken <= writes; ++taken) {
      const Context context = seen(detached({{a, taken}}));
      const Record after = apply_update(versions[known], context, written({b, 1}, 70));
      ASSERT_EQ(
          decode_record(encode_record(after, test::any_key), test::any_key, after.kind).value(),
          after);
      for (std::uint64_t there = 0; there <= writes; ++there) {
        std::set<Dot> expected{{b, 1}};
        for (std::uint64_t counter = 1; counter <= std::max(known, there); ++counter)
          if (counter != taken) expected.insert({a, counter});
        const Record merged = merge_records(versions[there], after);
        ASSERT_EQ(dots_of(merged), expected) << known << ' ' << taken << ' ' << there;
        ASSERT_EQ(merge_records(after, versions[there]), merged);
        expected.clear();
        for (std::uint64_t counter = 1; counter <= writes; ++counter)
          if (counter != taken) expected.insert({a, counter});
        expected.insert({b, 1});
        ASSERT_EQ(dots_of(merge_records(merged, versions[writes])), expected);
      }
    }
  }
}

// A step per pair of dots would take hours.
TEST(ApplyUpdate, LongListOfDetachedDotsIsNotQuadratic) {
  constexpr std::uint64_t dots = 300'000;
  Bytes bytes;
  put_varint(bytes, 0);
  put_varint(bytes, dots);
  for (std::uint64_t counter = 1; counter <= dots; ++counter) {
    put_actor(bytes, a);
    put_varint(bytes, 2 * counter);
    put_u64(bytes, 1);
  }
  Decoder in(bytes);
  const Context context = seen(VersionVector::decode(in));
  ASSERT_EQ(context.vector.size(), dots);
  EXPECT_TRUE(DotIssuer(here, start).check(context.vector).is_ok());
  const Record after = apply_update(record_of({{a, 1}, {a, 2}}), context, written({b, 1}, 70));
  EXPECT_EQ(dots_of(after), (std::set<Dot>{{a, 1}, {b, 1}}));
  EXPECT_EQ(after.vector.detached().size(), dots - 1);
}

// Else a watermark between both stamps would let this copy forget a dot that is live elsewhere, and
// the value that the client replaced would come back.
TEST(ApplyUpdate, StampOfAnEntryThatOnlyTheContextKnowsBecomesThatOfTheWrite) {
  const Record after = apply_update({}, seen(vector_of(a, 7, 7)), written({b, 1}, 70));
  EXPECT_EQ(stamp_of(after, a), 70u);
  const Record ahead =
      apply_update(record_of({{a, 1}}), seen(vector_of(a, 7, 7)), written({b, 1}, 70));
  EXPECT_EQ(stamp_of(ahead, a), 70u);
}

TEST(ApplyUpdate, StampOfAnEntryThatTheWriteDoesNotTouchStays) {
  Record own = record_of({{a, 5}});
  own.siblings.clear();
  EXPECT_EQ(stamp_of(apply_update(own, seen(vector_of(a, 5, 5)), written({b, 1}, 70)), a), 5u);
  EXPECT_EQ(stamp_of(apply_update(own, {}, written({b, 1}, 70)), a), 5u);
}

TEST(ApplyUpdate, TombstoneCarriesNeitherValueNorExpiry) {
  Sibling tombstone = written({b, 1}, 70);
  tombstone.tombstone = true;
  tombstone.expires_us = 5;
  const Record after = apply_update({}, {}, tombstone);
  EXPECT_EQ(after.siblings[0].value, "");
  EXPECT_EQ(after.siblings[0].expires_us, 0u);
}

TEST(ApplyUpdate, LwwKeepsTheGreaterOfBoth) {
  Record own;
  own.kind = RecordKind::lww;
  own = apply_update(own, {}, written({a, 0}, 50, "first"));
  EXPECT_EQ(own.siblings[0].value, "first");
  own = apply_update(own, {}, written({a, 0}, 60, "second"));
  EXPECT_EQ(own.siblings[0].value, "second");
  own = apply_update(own, {}, written({b, 0}, 55, "late"));
  ASSERT_EQ(own.siblings.size(), 1u);
  EXPECT_EQ(own.siblings[0].value, "second") << "the stored stamp is above the write's";
}

TEST(ApplyUpdate, ResultIsWellFormed) {
  for (const std::uint64_t seed : test::seeds(3000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "update");
    const Record own = test::any_record(random, RecordKind::siblings);
    const Context context = seen(test::any_record(random, RecordKind::siblings).vector);
    const Dot dot{test::any_actor(random), 10};
    const Record after = apply_update(own, context, written(dot, 70));
    ASSERT_EQ(decode_record(encode_record(after, test::any_key), test::any_key, after.kind).value(),
              after);
    std::set<Dot> expected{dot};
    for (const Sibling& sibling : own.siblings)
      if (!context.vector.covers(sibling.dot)) expected.insert(sibling.dot);
    ASSERT_EQ(dots_of(after), expected);
    ASSERT_TRUE(after.vector.descends(own.vector) && after.vector.descends(context.vector));
    ASSERT_EQ(merge_records(own, after), after) << "what was there does not come back";
    VersionVector both = own.vector;
    both.merge(context.vector);
    for (const auto& entry : after.vector.entries()) {
      const bool raised = entry.counter > own.vector.counter_of(entry.actor);
      const bool taken = takes_one_of(context, own, entry.actor);
      ASSERT_EQ(entry.stamp, raised || taken ? 70u : stamp_of(both, entry.actor));
    }
    for (const auto& each : after.vector.detached()) {
      const auto at = std::find_if(both.detached().begin(), both.detached().end(),
                                   [&](const auto& known) { return known.dot == each.dot; });
      ASSERT_NE(at, both.detached().end());
      ASSERT_EQ(each.stamp, own.vector.covers(each.dot) ? at->stamp : 70u);
    }
  }
}

}  // namespace
}  // namespace ringwright
