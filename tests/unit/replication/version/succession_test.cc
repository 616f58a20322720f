#include "replication/version/succession.h"

#include <gtest/gtest.h>

#include "engine/base/random.h"
#include "replication/version/merge.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

Record one_sibling(const VersionVector& vector, const Dot& dot) {
  Record record;
  record.vector = vector;
  record.vector.raise(dot, 9);
  Sibling sibling;
  sibling.dot = dot;
  sibling.stamp = 9;
  sibling.value = "v";
  record.siblings.push_back(sibling);
  return record;
}

Bytes encoded(const Record& record) { return encode_record(record, test::any_key); }

// A put that mostly has seen the older record, and sometimes less or more of it.
Record any_put(Random& random, const Record& older) {
  VersionVector seen = random.chance(0.8) ? older.vector : VersionVector();
  if (random.chance(0.3)) seen.merge(test::any_record(random, RecordKind::siblings).vector);
  if (random.chance(0.9)) seen.drop_detached_if([](const Dot&) { return true; });
  const Actor actor = test::any_actor(random);
  const std::uint64_t counter = seen.counter_of(actor) + random.below(3);
  return one_sibling(seen, {actor, std::max<std::uint64_t>(counter, 1)});
}

TEST(Succession, IsToldOnlyWhereTheMergeIsTheNewerRecord) {
  std::size_t told = 0;
  std::size_t raised = 0;
  for (const std::uint64_t seed : test::seeds(20000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "succession");
    const Record older =
        random.chance(0.5) ? any_put(random, {}) : test::any_record(random, RecordKind::siblings);
    const Record newer = random.chance(0.8) ? any_put(random, older)
                                            : test::any_record(random, RecordKind::siblings);
    const Actor marked = test::any_actor(random);
    const Succession found = find_succession(encoded(newer), encoded(older), marked);
    if (!found.is_told) continue;
    ASSERT_EQ(merge_records(newer, older), newer);
    ASSERT_EQ(merge_records(older, newer), newer);
    ASSERT_EQ(found.raises_marked,
              newer.vector.highest_of(marked) > older.vector.counter_of(marked));
    ++told;
    raised += found.raises_marked;
  }
  EXPECT_GT(told, 5000u);
  EXPECT_GT(raised, 500u);
}

TEST(Succession, IsToldOfWhatNearlyEveryPutMeets) {
  const auto actor = [](std::uint64_t node, std::uint64_t birth) {
    return Actor{{node << 40, node}, node << 20, birth};
  };
  VersionVector seen;
  for (std::uint64_t node = 1; node <= 6; ++node) seen.raise({actor(node, 300 * node), 7000}, node);
  const Record older = one_sibling(seen, {actor(2, 600), 7001});
  const Record next = one_sibling(older.vector, {actor(2, 600), 70000});
  EXPECT_TRUE(find_succession(encoded(next), encoded(older), {}).is_told);
  for (const std::uint64_t newcomer : {0, 4, 9}) {  // in front of all, in between, behind all
    SCOPED_TRACE(newcomer);
    const Record joined = one_sibling(older.vector, {actor(newcomer, 1), 5});
    EXPECT_TRUE(find_succession(encoded(joined), encoded(older), {}).is_told);
    EXPECT_FALSE(find_succession(encoded(older), encoded(joined), {}).is_told);
  }
  EXPECT_FALSE(find_succession(encoded(older), encoded(older), {}).is_told) << "no news";
}

TEST(Succession, IsNotToldBesideDetachedDots) {
  // Whose first bytes would pass for one sibling that is news.
  const Actor lone{{0x0100ff0000000000, 1}, 1, 1};
  const Actor writer{{1, 1}, 1, 1};
  VersionVector seen;
  seen.raise({writer, 4}, 4);
  const Record older = one_sibling(seen, {writer, 5});
  VersionVector with_lone = older.vector;
  with_lone.add_detached({lone, 7}, 4);
  const Record newer = one_sibling(with_lone, {writer, 6});
  EXPECT_FALSE(find_succession(encoded(newer), encoded(older), {}).is_told);
  EXPECT_FALSE(
      find_succession(encoded(one_sibling(seen, {writer, 8})), encoded(newer), {}).is_told);
}

TEST(Succession, NeverReadsBeyondTheBytes) {
  for (const std::uint64_t seed : test::seeds(2000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "succession bytes");
    const Record older = any_put(random, {});
    Bytes left = encoded(any_put(random, older));
    Bytes right = encoded(older);
    Bytes& changed = random.chance(0.5) ? left : right;
    changed.resize(random.below(changed.size() + 1));
    if (!changed.empty()) changed[random.below(changed.size())] ^= static_cast<char>(random.next());
    // Copies of their exact size, so that a sanitizer sees a step too far.
    const std::vector<char> newer(left.begin(), left.end());
    const std::vector<char> before(right.begin(), right.end());
    find_succession({newer.data(), newer.size()}, {before.data(), before.size()},
                    test::any_actor(random));
  }
}

}  // namespace
}  // namespace ringwright
