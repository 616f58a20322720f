#include "replication/version/merge.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using test::any_key;
using test::any_record;

// Three records of one kind: unrelated, or alike enough to share dots with different contents.
std::array<Record, 3> any_three(Random& random) {
  const std::uint64_t shape = random.below(3);
  std::array<Record, 3> three;
  for (Record& record : three)
    record = shape == 0   ? any_record(random, RecordKind::siblings)
             : shape == 1 ? any_record(random, RecordKind::lww)
                          : test::small_record(random);
  return three;
}

TEST(Merge, IsCommutativeAssociativeIdempotentAndCanonical) {
  for (const std::uint64_t seed : test::seeds(30'000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "laws");
    const auto [a, b, c] = any_three(random);
    const Record ab = merge_records(a, b);
    ASSERT_EQ(ab, merge_records(b, a));
    ASSERT_EQ(merge_records(a, a), a);
    ASSERT_EQ(merge_records(ab, b), ab);
    ASSERT_EQ(merge_records(ab, a), ab);
    ASSERT_EQ(merge_records(ab, c), merge_records(a, merge_records(b, c)));
    ASSERT_EQ(encode_record(ab, any_key), encode_record(merge_records(b, a), any_key));
    ASSERT_EQ(decode_record(encode_record(ab, any_key), any_key, ab.kind).value(), ab);
  }
}

TEST(Merge, NothingIsItsNeutralElement) {
  for (const std::uint64_t seed : test::seeds(500)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "neutral");
    for (const auto kind : {RecordKind::siblings, RecordKind::lww}) {
      const Record record = any_record(random, kind);
      Record nothing;
      nothing.kind = kind;
      ASSERT_EQ(merge_records(record, nothing), record);
      ASSERT_EQ(merge_records(nothing, record), record);
    }
  }
}

// Sets of dots instead of vectors: what was seen, and what of it is there.
struct Twin {
  std::set<Dot> seen;
  std::map<Dot, Sibling> there;
};

Twin twin_of(const Record& record) {
  Twin twin;
  for (const auto& entry : record.vector.entries())
    for (std::uint64_t counter = 1; counter <= entry.counter; ++counter)
      twin.seen.insert({entry.actor, counter});
  for (const auto& each : record.vector.detached()) twin.seen.insert(each.dot);
  for (const Sibling& sibling : record.siblings) twin.there[sibling.dot] = sibling;
  return twin;
}

// Whoever saw a dot and does not have it removed it.
Twin merge_twins(const Twin& a, const Twin& b) {
  Twin merged;
  merged.seen = a.seen;
  merged.seen.insert(b.seen.begin(), b.seen.end());
  for (const Dot& dot : merged.seen) {
    const bool a_removed = a.seen.count(dot) != 0 && a.there.count(dot) == 0;
    const bool b_removed = b.seen.count(dot) != 0 && b.there.count(dot) == 0;
    if (a_removed || b_removed) continue;
    if (a.there.count(dot) != 0)
      merged.there[dot] = a.there.at(dot);
    else if (b.there.count(dot) != 0)
      merged.there[dot] = b.there.at(dot);
  }
  return merged;
}

// What both vectors say, dot by dot and actor by actor.
struct VectorTwin {
  std::map<Actor, std::pair<std::uint64_t, Timestamp>> entries;
  std::map<Dot, Timestamp> detached;
  friend bool operator==(const VectorTwin&, const VectorTwin&) = default;
};

VectorTwin vector_twin(std::initializer_list<const VersionVector*> vectors) {
  VectorTwin twin;
  for (const VersionVector* vector : vectors) {
    for (const auto& entry : vector->entries()) {
      auto& [counter, stamp] = twin.entries[entry.actor];
      counter = std::max(counter, entry.counter);
      stamp = std::max(stamp, entry.stamp);
    }
  }
  for (const VersionVector* vector : vectors) {
    for (const auto& each : vector->detached()) {
      const auto at = twin.entries.find(each.dot.actor);
      const bool covered = at != twin.entries.end() && at->second.first >= each.dot.counter;
      Timestamp& stamp = covered ? at->second.second : twin.detached[each.dot];
      stamp = std::max(stamp, each.stamp);
    }
  }
  return twin;
}

std::set<Dot> dots_of(const std::map<Dot, Sibling>& there) {
  std::set<Dot> dots;
  for (const auto& [dot, sibling] : there) dots.insert(dot);
  return dots;
}

TEST(Merge, EqualsItsTwin) {
  for (const std::uint64_t seed : test::seeds(20'000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "twin");
    const Record a = any_record(random, RecordKind::siblings);
    const Record b = any_record(random, RecordKind::siblings);
    const Twin expected = merge_twins(twin_of(a), twin_of(b));
    const Record merged = merge_records(a, b);
    const Twin found = twin_of(merged);
    ASSERT_EQ(found.seen, expected.seen);
    ASSERT_EQ(dots_of(found.there), dots_of(expected.there));
    for (const Sibling& sibling : merged.siblings) {
      const Sibling* from_a = a.find(sibling.dot);
      const Sibling* from_b = b.find(sibling.dot);
      ASSERT_TRUE((from_a && *from_a == sibling) || (from_b && *from_b == sibling));
    }
    ASSERT_EQ(vector_twin({&merged.vector}), vector_twin({&a.vector, &b.vector}));
  }
}

// What a detached dot takes is one sibling, not those of the same actor before it.
TEST(Merge, DetachedDotTakesExactlyItsSibling) {
  SeededRandom random(1, "detached");
  const Actor actor = test::any_actor(random);
  Record whole;
  whole.vector.raise({actor, 9}, 9);
  for (const std::uint64_t counter : {3, 7, 9}) {
    whole.siblings.emplace_back();
    whole.siblings.back().dot = {actor, counter};
  }
  Record taken;
  taken.vector.add_detached({actor, 7}, 70);
  const Record merged = merge_records(whole, taken);
  ASSERT_EQ(merged.siblings.size(), 2u);
  EXPECT_EQ(merged.siblings[0], whole.siblings[0]);
  EXPECT_EQ(merged.siblings[1], whole.siblings[2]);
  EXPECT_TRUE(merged.vector.detached().empty());
  EXPECT_EQ(merged.vector.latest_stamp(), 70u) << "the entry carries on when it may be forgotten";
  EXPECT_EQ(merge_records(taken, whole), merged);
}

Record lww(Timestamp stamp, std::uint64_t node, bool tombstone, Bytes value) {
  Record record;
  record.kind = RecordKind::lww;
  Sibling sibling;
  sibling.dot.actor.node.low = node;
  sibling.stamp = stamp;
  sibling.tombstone = tombstone;
  sibling.value = std::move(value);
  record.siblings.push_back(sibling);
  return record;
}

void expect_beats(const Record& winner, const Record& loser) {
  EXPECT_EQ(merge_records(winner, loser), winner);
  EXPECT_EQ(merge_records(loser, winner), winner);
}

TEST(Merge, LwwOrderIsStampThenActorThenTombstoneThenLargerBytes) {
  expect_beats(lww(2, 1, false, "a"), lww(1, 2, true, ""));
  expect_beats(lww(1, 2, false, "a"), lww(1, 1, true, ""));
  expect_beats(lww(1, 1, true, ""), lww(1, 1, false, "z"));
  expect_beats(lww(1, 1, false, "b"), lww(1, 1, false, "a"));
  expect_beats(lww(1, 1, false, "aa"), lww(1, 1, false, "a"));
  expect_beats(lww(1, 1, false, "\xff"), lww(1, 1, false, "\x7f"));
}

TEST(Merge, LwwOrderReachesEveryField) {
  for (const std::uint64_t seed : test::seeds(3000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "lww");
    const Record a = any_record(random, RecordKind::lww);
    const Record b = any_record(random, RecordKind::lww);
    const Record merged = merge_records(a, b);
    ASSERT_TRUE(merged == a || merged == b);
    ASSERT_EQ(merged, merge_records(b, a));
  }
}

TEST(Merge, OfOneDotWrittenTwiceTheLargerStays) {
  SeededRandom random(1, "one dot");
  Record plain;
  plain.vector.raise({test::any_actor(random), 1}, 5);
  plain.siblings.emplace_back();
  plain.siblings[0].dot = {plain.vector.entries()[0].actor, 1};
  plain.siblings[0].value = "a";
  std::vector<Record> larger(5, plain);
  larger[0].siblings[0].value = "b";
  larger[1].siblings[0].stamp = 1;
  larger[2].siblings[0].expires_us = 1;
  larger[3].siblings[0].request = {0, 0, 1};
  larger[4].siblings[0].tombstone = true;
  larger[4].siblings[0].value = "";
  for (const Record& record : larger) expect_beats(record, plain);
}

}  // namespace
}  // namespace ringwright
