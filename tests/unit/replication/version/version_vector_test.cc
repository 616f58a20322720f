#include "replication/version/version_vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using test::any_actor;

VersionVector any_vector(Random& random) {
  VersionVector vector;
  for (std::uint64_t i = random.below(6); i > 0; --i)
    vector.raise({any_actor(random), 1 + random.below(4)}, random.below(5));
  test::add_any_detached(random, vector);
  return vector;
}

// The same, without thought.
struct Twin {
  std::map<Actor, std::pair<std::uint64_t, Timestamp>> entries;
  std::map<Dot, Timestamp> detached;

  void raise(const Dot& dot, Timestamp stamp) {
    auto& [counter, at] = entries[dot.actor];
    counter = std::max(counter, dot.counter);
    at = std::max(at, stamp);
    absorb();
  }
  void add_detached(const Dot& dot, Timestamp stamp) {
    auto& at = detached[dot];
    at = std::max(at, stamp);
    absorb();
  }
  void merge(const Twin& other, Timestamp raised = 0) {
    for (const auto& [actor, entry] : other.entries) {
      const bool is_raised = entry.first > entries[actor].first;
      raise({actor, entry.first}, is_raised ? std::max(entry.second, raised) : entry.second);
    }
    for (const auto& [dot, stamp] : other.detached) add_detached(dot, stamp);
  }
  std::set<Dot> seen() const {
    std::set<Dot> dots;
    for (const auto& [actor, entry] : entries)
      for (std::uint64_t counter = 1; counter <= entry.first; ++counter)
        dots.insert({actor, counter});
    for (const auto& [dot, stamp] : detached) dots.insert(dot);
    return dots;
  }
  void absorb() {
    for (auto it = detached.begin(); it != detached.end();) {
      const auto entry = entries.find(it->first.actor);
      const bool covered = entry != entries.end() && entry->second.first >= it->first.counter;
      if (covered) entry->second.second = std::max(entry->second.second, it->second);
      it = covered ? detached.erase(it) : std::next(it);
    }
  }
  friend bool operator==(const Twin&, const Twin&) = default;
};

Twin twin_of(const VersionVector& vector) {
  Twin twin;
  for (const auto& entry : vector.entries())
    twin.entries[entry.actor] = {entry.counter, entry.stamp};
  for (const auto& each : vector.detached()) twin.detached[each.dot] = each.stamp;
  return twin;
}

void expect_equal(const VersionVector& vector, const Twin& twin) {
  ASSERT_EQ(twin_of(vector), twin);
  ASSERT_EQ(vector.size(), twin.entries.size() + twin.detached.size());
  const std::set<Dot> seen = twin.seen();
  for (std::uint64_t pick = 0; pick < 4; ++pick) {
    const Actor actor{{pick % 2, 7}, 0xf00d + pick / 2 % 2, pick / 4};
    const auto entry = twin.entries.find(actor);
    ASSERT_EQ(vector.counter_of(actor), entry == twin.entries.end() ? 0 : entry->second.first);
    std::uint64_t highest = 0;
    for (std::uint64_t counter = 1; counter < 9; ++counter) {
      ASSERT_EQ(vector.covers({actor, counter}), seen.count({actor, counter}) != 0);
      if (seen.count({actor, counter}) != 0) highest = counter;
    }
    ASSERT_EQ(vector.highest_of(actor), highest);
  }
  Timestamp latest = 0;
  for (const auto& [actor, entry] : twin.entries) latest = std::max(latest, entry.second);
  for (const auto& [dot, stamp] : twin.detached) latest = std::max(latest, stamp);
  ASSERT_EQ(vector.latest_stamp(), latest);
}

TEST(VersionVector, EqualsItsTwin) {
  for (const std::uint64_t seed : test::seeds(3000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "vector");
    VersionVector vector;
    Twin twin;
    for (std::uint64_t i = random.below(12); i > 0; --i) {
      const Dot dot{any_actor(random), 1 + random.below(7)};
      const Timestamp stamp = random.below(9);
      const VersionVector other = any_vector(random);
      switch (random.below(4)) {
        case 0:
          vector.raise(dot, stamp), twin.raise(dot, stamp);
          break;
        case 1:
          vector.add_detached(dot, stamp), twin.add_detached(dot, stamp);
          break;
        case 2:
          vector.merge(other), twin.merge(twin_of(other));
          break;
        case 3:
          vector.merge(other, stamp), twin.merge(twin_of(other), stamp);
          break;
      }
      ASSERT_NO_FATAL_FAILURE(expect_equal(vector, twin));
      Bytes bytes;
      vector.encode(bytes);
      Decoder in(bytes);
      ASSERT_EQ(VersionVector::decode(in), vector);
      ASSERT_TRUE(in.complete());
    }
  }
}

TEST(VersionVector, MergeIsCommutativeAssociativeAndIdempotent) {
  for (const std::uint64_t seed : test::seeds(10'000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "vector laws");
    const VersionVector a = any_vector(random);
    const VersionVector b = any_vector(random);
    const VersionVector c = any_vector(random);
    const auto merged = [](VersionVector left, const VersionVector& right) {
      left.merge(right);
      return left;
    };
    ASSERT_EQ(merged(a, b), merged(b, a));
    ASSERT_EQ(merged(merged(a, b), c), merged(a, merged(b, c)));
    ASSERT_EQ(merged(a, a), a);
    ASSERT_EQ(merged(merged(a, b), b), merged(a, b));
    ASSERT_TRUE(merged(a, b).descends(a) && merged(a, b).descends(b));
  }
}

// An entry is covered by an entry only: dots 1 and 2, both detached, are no entry up to 2, though
// they name the same events.
TEST(VersionVector, DescendsMeansSuperset) {
  for (const std::uint64_t seed : test::seeds(5000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "descends");
    const VersionVector a = any_vector(random);
    const VersionVector b = random.chance(0.5) ? any_vector(random) : a;
    const std::set<Dot> of_a = twin_of(a).seen();
    const std::set<Dot> of_b = twin_of(b).seen();
    const bool superset = std::includes(of_a.begin(), of_a.end(), of_b.begin(), of_b.end());
    bool entry_by_entry = true;
    for (const auto& entry : b.entries())
      entry_by_entry &= a.counter_of(entry.actor) >= entry.counter;
    ASSERT_EQ(a.descends(b), superset && entry_by_entry);
  }
}

const Actor one{{1, 2}, 3, 4};
const Actor two{{1, 2}, 3, 5};

TEST(VersionVector, DetachedDotCoversNothingBeforeIt) {
  VersionVector vector;
  vector.raise({one, 3}, 30);
  vector.add_detached({one, 7}, 70);
  vector.add_detached({two, 9}, 90);
  EXPECT_EQ(vector.size(), 3u);
  EXPECT_TRUE(vector.covers({one, 3}) && vector.covers({one, 7}) && vector.covers({two, 9}));
  for (const std::uint64_t counter : {4, 5, 6, 8}) EXPECT_FALSE(vector.covers({one, counter}));
  EXPECT_FALSE(vector.covers({two, 8}));
  EXPECT_EQ(vector.counter_of(one), 3u);
  EXPECT_EQ(vector.highest_of(one), 7u);
  EXPECT_EQ(vector.counter_of(two), 0u);
  EXPECT_EQ(vector.highest_of(two), 9u);
  EXPECT_EQ(vector.latest_stamp(), 90u);
  VersionVector only;
  only.add_detached({one, 1}, 0);
  EXPECT_FALSE(only.empty());
}

TEST(VersionVector, RaiseAbsorbsDetachedDotsAndCarriesTheirStamps) {
  VersionVector vector;
  vector.add_detached({one, 5}, 50);
  vector.add_detached({one, 7}, 90);
  vector.add_detached({one, 9}, 60);
  vector.raise({one, 7}, 10);
  ASSERT_EQ(vector.entries().size(), 1u);
  EXPECT_EQ(vector.entries()[0], (VersionVector::Entry{one, 7, 90}));
  ASSERT_EQ(vector.detached().size(), 1u);
  EXPECT_EQ(vector.detached()[0], (VersionVector::Detached{{one, 9}, 60}));
}

TEST(VersionVector, AddingACoveredDotRaisesOnlyTheStampOfItsEntry) {
  VersionVector vector;
  vector.raise({one, 7}, 10);
  vector.add_detached({one, 7}, 20);
  EXPECT_TRUE(vector.detached().empty());
  EXPECT_EQ(vector.entries()[0], (VersionVector::Entry{one, 7, 20}));
}

TEST(VersionVector, AddingADetachedDotAgainKeepsTheGreaterStamp) {
  VersionVector vector;
  vector.add_detached({one, 7}, 20);
  vector.add_detached({one, 7}, 10);
  vector.add_detached({one, 7}, 30);
  ASSERT_EQ(vector.size(), 1u);
  EXPECT_EQ(vector.latest_stamp(), 30u);
}

TEST(VersionVector, RaiseNeverLowers) {
  const Actor actor{{1, 2}, 3, 4};
  VersionVector vector;
  vector.raise({actor, 5}, 50);
  vector.raise({actor, 4}, 60);
  vector.raise({actor, 6}, 10);
  vector.raise({actor, 3}, 20);
  ASSERT_EQ(vector.size(), 1u);
  EXPECT_EQ(vector.entries()[0].counter, 6u);
  EXPECT_EQ(vector.entries()[0].stamp, 60u);
}

TEST(VersionVector, TouchRaisesTheStampOfWhatIsThereOnly) {
  const Actor actor{{1, 2}, 3, 4};
  VersionVector vector;
  vector.touch(actor, 9);
  EXPECT_TRUE(vector.empty());
  vector.raise({actor, 5}, 50);
  vector.touch(actor, 49);
  EXPECT_EQ(vector.latest_stamp(), 50u);
  vector.touch(actor, 51);
  EXPECT_EQ(vector.latest_stamp(), 51u);
  EXPECT_EQ(vector.counter_of(actor), 5u);
}

TEST(VersionVector, TouchRaisesTheStampOfADetachedDotThatIsThereOnly) {
  VersionVector vector;
  vector.raise({one, 3}, 10);
  vector.add_detached({one, 7}, 20);
  vector.touch(Dot{one, 5}, 99);
  vector.touch(Dot{one, 3}, 99);
  vector.touch(Dot{two, 7}, 99);
  vector.touch(Dot{one, 7}, 15);
  EXPECT_EQ(vector.latest_stamp(), 20u);
  vector.touch(Dot{one, 7}, 25);
  EXPECT_EQ(vector.detached()[0].stamp, 25u);
  EXPECT_EQ(vector.entries()[0].stamp, 10u);
}

TEST(VersionVector, DescendsLooksAtCountersOnly) {
  const Actor actor{{1, 2}, 3, 4};
  VersionVector older;
  VersionVector younger;
  older.raise({actor, 5}, 1);
  younger.raise({actor, 5}, 2);
  EXPECT_TRUE(older.descends(younger));
  EXPECT_TRUE(older.descends(VersionVector{}));
  EXPECT_FALSE(VersionVector{}.descends(older));
}

TEST(VersionVector, GoldenBytes) {
  VersionVector vector;
  vector.raise({{{0, 2}, 5, 6}, 1}, 0x0102);
  vector.raise({{{0, 1}, 5, 6}, 300}, 7);
  Bytes out;
  vector.encode(out);
  EXPECT_EQ(to_hex(out),
            "02"  // entries
            "00000000000000000000000000000001"
            "0500000000000000"
            "06"  // actor
            "ac02"
            "0700000000000000"  // counter, stamp
            "00000000000000000000000000000002"
            "0500000000000000"
            "06"
            "01"
            "0201000000000000"
            "00");  // detached dots
  Decoder in(out);
  EXPECT_EQ(VersionVector::decode(in), vector);
  EXPECT_TRUE(in.complete());
}

TEST(VersionVector, GoldenBytesWithDetachedDots) {
  VersionVector vector;
  vector.raise({{{0, 1}, 5, 6}, 1}, 7);
  vector.add_detached({{{0, 1}, 5, 7}, 1}, 0x0304);
  vector.add_detached({{{0, 1}, 5, 6}, 300}, 0x0102);
  Bytes out;
  vector.encode(out);
  EXPECT_EQ(to_hex(out),
            "01"
            "00000000000000000000000000000001"
            "0500000000000000"
            "06"
            "01"
            "0700000000000000"
            "02"  // detached dots
            "00000000000000000000000000000001"
            "0500000000000000"
            "06"  // actor
            "ac02"
            "0201000000000000"  // counter, stamp
            "00000000000000000000000000000001"
            "0500000000000000"
            "07"
            "01"
            "0403000000000000");
  Decoder in(out);
  EXPECT_EQ(VersionVector::decode(in), vector);
  EXPECT_TRUE(in.complete());
}

Bytes list(std::initializer_list<VersionVector::Entry> all) {
  Bytes out;
  put_varint(out, all.size());
  for (const auto& each : all) {
    put_actor(out, each.actor);
    put_varint(out, each.counter);
    put_u64(out, each.stamp);
  }
  return out;
}
Bytes entries(std::initializer_list<VersionVector::Entry> all) { return list(all) + list({}); }

bool decodes(ByteView bytes) {
  Decoder in(bytes);
  VersionVector::decode(in);
  return in.complete();
}

TEST(VersionVector, RefusesEntriesOutOfOrderTwiceOrWithoutCounter) {
  const Actor low{{1, 2}, 3, 4};
  const Actor high{{1, 2}, 3, 5};
  EXPECT_TRUE(decodes(entries({{low, 1, 0}, {high, 1, 0}})));
  EXPECT_FALSE(decodes(entries({{high, 1, 0}, {low, 1, 0}})));
  EXPECT_FALSE(decodes(entries({{low, 1, 0}, {low, 2, 0}})));
  EXPECT_FALSE(decodes(entries({{low, 0, 0}})));
}

TEST(VersionVector, RefusesDetachedDotsOutOfOrderTwiceWithoutCounterOrCovered) {
  const auto with_entry = [](std::initializer_list<VersionVector::Entry> detached) {
    return decodes(list({{one, 5, 0}}) + list(detached));
  };
  EXPECT_TRUE(with_entry({{one, 6, 0}, {one, 8, 0}, {two, 1, 0}}));
  EXPECT_FALSE(with_entry({{one, 8, 0}, {one, 6, 0}})) << "out of order";
  EXPECT_FALSE(with_entry({{two, 1, 0}, {one, 6, 0}})) << "actors out of order";
  EXPECT_FALSE(with_entry({{one, 6, 0}, {one, 6, 0}})) << "twice";
  EXPECT_FALSE(with_entry({{two, 0, 0}})) << "no counter";
  EXPECT_FALSE(with_entry({{one, 5, 0}})) << "covered";
  EXPECT_FALSE(with_entry({{one, 1, 0}})) << "covered";
  EXPECT_FALSE(decodes(list({{one, 5, 0}}))) << "no list of detached dots";
}

// A step per pair of dots would take hours.
TEST(VersionVector, LongListsOfDetachedDotsAreNotQuadratic) {
  constexpr std::uint64_t dots = 400'000;
  const auto numbered = [](std::uint64_t first) {
    Bytes bytes;
    put_varint(bytes, 0);
    put_varint(bytes, dots / 2);
    for (std::uint64_t counter = first; counter <= dots; counter += 2) {
      put_actor(bytes, one);
      put_varint(bytes, counter);
      put_u64(bytes, counter);
    }
    Decoder in(bytes);
    return VersionVector::decode(in);
  };
  VersionVector odd = numbered(1);
  const VersionVector even = numbered(2);
  EXPECT_FALSE(odd.descends(even));
  odd.merge(even);
  EXPECT_EQ(odd.size(), dots);
  EXPECT_TRUE(odd.descends(even));
  EXPECT_EQ(odd.highest_of(one), dots);
  odd.raise({one, dots - 1}, 1);
  EXPECT_EQ(odd.size(), 2u);
  EXPECT_EQ(odd.entries()[0].stamp, dots - 1);
}

TEST(VersionVector, ClaimedLengthDoesNotAllocate) {
  Bytes out;
  put_varint(out, UINT64_MAX);
  out += Bytes(40, 'x');
  Decoder in(out);
  const VersionVector vector = VersionVector::decode(in);
  EXPECT_TRUE(in.failed());
  EXPECT_TRUE(vector.empty());
  const Bytes after_entries = Bytes(1, '\0') + out;
  Decoder second(after_entries);
  EXPECT_TRUE(VersionVector::decode(second).empty());
  EXPECT_TRUE(second.failed());
}

}  // namespace
}  // namespace ringwright
