#include "replication/shard/write_counts.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

TEST(WriteCounts, TellsEveryTimeThatEnoughCame) {
  WriteCounts counts;
  for (int round = 0; round < 3; ++round)
    for (int write = 1; write <= 16; ++write) EXPECT_EQ(counts.add(7, 16), write == 16);
}

TEST(WriteCounts, KeepsKeysApart) {
  WriteCounts counts;
  for (std::uint64_t key = 0; key < 1000; ++key) EXPECT_FALSE(counts.add(key, 2));
  for (std::uint64_t key = 0; key < 1000; ++key) EXPECT_TRUE(counts.add(key, 2));
}

// Hashes of one set: multiples of the number of sets, which is a power of two below this.
constexpr std::uint64_t same_set = std::uint64_t{1} << 40;

TEST(WriteCounts, AKeyOfManyWritesIsFoundAmongManyOfFew) {
  WriteCounts counts;
  int found = 0;
  std::uint64_t other = 1;
  for (int write = 0; write < 1600; ++write) {
    found += counts.add(same_set, 16) ? 1 : 0;
    counts.add(same_set * ++other, 16);
  }
  EXPECT_GE(found, 40);
  EXPECT_LE(found, 100);
}

TEST(WriteCounts, WhatIsWrittenNoMoreMakesRoom) {
  WriteCounts counts;
  for (std::uint64_t key = 1; key <= 4; ++key)
    for (int write = 0; write < 15; ++write) EXPECT_FALSE(counts.add(same_set * key, 16));
  int found = 0;
  for (int write = 0; write < 200; ++write)
    for (std::uint64_t key = 5; key <= 6; ++key) found += counts.add(same_set * key, 16) ? 1 : 0;
  EXPECT_GE(found, 20);
}

}  // namespace
}  // namespace ringwright
