#include "engine/damage_book.h"

#include <gtest/gtest.h>

#include "engine/base/limits.h"

namespace ringwright {
namespace {

using Ranges = std::vector<KeyRange>;

TEST(DamageBook, keeps_ranges_sorted_and_joins_those_that_touch) {
  DamageBook book;
  EXPECT_TRUE(book.ranges().empty());
  book.note({"m", "n"});
  book.note({"a", "c"});
  EXPECT_EQ(book.ranges(), (Ranges{{"a", "c"}, {"m", "n"}}));
  book.note({"c", "d"});
  book.note({"b", "bb"});
  EXPECT_EQ(book.ranges(), (Ranges{{"a", "d"}, {"m", "n"}}));
  book.note({"x", ""});
  book.note({"y", "z"});
  EXPECT_EQ(book.ranges(), (Ranges{{"a", "d"}, {"m", "n"}, {"x", ""}}));
  book.note({"cc", "xx"});
  EXPECT_EQ(book.ranges(), (Ranges{{"a", ""}}));
}

TEST(DamageBook, ignores_a_range_without_keys) {
  DamageBook book;
  book.note({"b", "a"});
  EXPECT_TRUE(book.ranges().empty());
}

TEST(DamageBook, holds_one_key) {
  DamageBook book;
  book.note(range_of_key("key"));
  EXPECT_EQ(book.ranges(), (Ranges{{"key", Bytes("key\0", 4)}}));
}

TEST(DamageBook, covers_all_that_was_noted_within_its_bound) {
  DamageBook book;
  std::vector<Bytes> keys;
  for (int i = 0; i < 500; ++i) keys.push_back("k" + std::to_string(1000 + i * 7919 % 500));
  for (const Bytes& key : keys) book.note(range_of_key(key + "."));
  const Ranges ranges = book.ranges();
  EXPECT_LE(ranges.size(), limits::damaged_ranges_max);
  for (const Bytes& key : keys) {
    bool covered = false;
    for (const KeyRange& range : ranges)
      covered =
          covered || (range.start <= key + "." && (range.stop.empty() || key + "." < range.stop));
    EXPECT_TRUE(covered) << key;
  }
  for (std::size_t i = 1; i < ranges.size(); ++i) EXPECT_LT(ranges[i - 1].stop, ranges[i].start);
}

}  // namespace
}  // namespace ringwright
