#include "engine/base/hash_index.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/base/random.h"

namespace ringwright {
namespace {

auto is(int wanted) {
  return [wanted](int value) { return value == wanted; };
}

TEST(HashIndex, FindsWhatWasInsertedAndNothingElse) {
  HashIndex<int> index;
  EXPECT_EQ(index.find(7, is(1)), nullptr);
  EXPECT_FALSE(index.erase(7, is(1)));
  index.insert(7, 1);
  ASSERT_NE(index.find(7, is(1)), nullptr);
  EXPECT_EQ(*index.find(7, is(1)), 1);
  EXPECT_EQ(index.find(7, is(2)), nullptr) << "the predicate decides";
  EXPECT_EQ(index.find(8, is(1)), nullptr) << "another hash";
  EXPECT_EQ(index.size(), 1u);
}

TEST(HashIndex, TakesHashesOfEveryShape) {
  HashIndex<int> index;
  index.insert(0, 1);
  index.insert(UINT64_MAX, 2);
  EXPECT_NE(index.find(0, is(1)), nullptr);
  EXPECT_NE(index.find(UINT64_MAX, is(2)), nullptr);
  EXPECT_TRUE(index.erase(0, is(1)));
  EXPECT_EQ(index.find(0, is(1)), nullptr);
}

TEST(HashIndex, KeepsThoseOfOneHashApart) {
  HashIndex<int> index;
  for (int value = 0; value < 100; ++value) index.insert(5, value);
  for (int value = 0; value < 100; value += 2) EXPECT_TRUE(index.erase(5, is(value)));
  for (int value = 0; value < 100; ++value)
    EXPECT_EQ(index.find(5, is(value)) != nullptr, value % 2 == 1) << value;
}

TEST(HashIndex, IsEmptyAfterClear) {
  HashIndex<int> index;
  for (int value = 0; value < 50; ++value) index.insert(static_cast<std::uint64_t>(value), value);
  index.clear();
  EXPECT_EQ(index.size(), 0u);
  EXPECT_EQ(index.find(3, is(3)), nullptr);
  index.insert(3, 4);
  EXPECT_NE(index.find(3, is(4)), nullptr);
}

// Few hashes that differ in few low bits, so that runs are long, wrap around and are cut by
// erasures everywhere.
TEST(HashIndex, AgreesWithAMapOverRandomChanges) {
  SeededRandom random(1, "hash_index");
  for (const std::uint64_t hashes : {3u, 20u, 1000u}) {
    HashIndex<int> index;
    std::multimap<std::uint64_t, int> model;
    for (int step = 0; step < 20000; ++step) {
      const std::uint64_t hash = UINT64_MAX - random.below(hashes);
      const auto at = model.lower_bound(hash);
      const bool there = at != model.end() && at->first == hash;
      if (random.below(2) == 0 && model.size() < 500) {
        index.insert(hash, step);
        model.emplace(hash, step);
      } else if (there) {
        ASSERT_TRUE(index.erase(hash, is(at->second)));
        model.erase(at);
      }
      ASSERT_EQ(index.size(), model.size());
    }
    for (const auto& [hash, value] : model) ASSERT_NE(index.find(hash, is(value)), nullptr);
  }
}

}  // namespace
}  // namespace ringwright
