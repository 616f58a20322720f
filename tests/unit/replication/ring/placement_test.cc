#include "replication/ring/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "tests/unit/replication/ring/members.h"

namespace ringwright {
namespace {

using testing::equal_members;
using testing::member_numbered;
using testing::racked_members;
using testing::weighted_members;
using Owners = std::vector<std::uint32_t>;

std::vector<std::uint32_t> owned(const Owners& owners, std::size_t members) {
  std::vector<std::uint32_t> counts(members);
  for (const std::uint32_t owner : owners) ++counts.at(owner);
  return counts;
}

std::uint64_t sum_of_weights(const std::vector<Member>& members) {
  std::uint64_t sum = 0;
  for (const Member& member : members) sum += member.weight;
  return sum;
}

// Rule 1, both as a due rounded down or up and as distance per unit of weight.
void expect_balance(const Owners& owners, const std::vector<Member>& members) {
  const std::vector<std::uint32_t> counts = owned(owners, members.size());
  const std::uint64_t weights = sum_of_weights(members);
  for (std::size_t index = 0; index < members.size(); ++index) {
    const std::uint64_t share = owners.size() * members[index].weight;
    EXPECT_GE(counts[index], share / weights) << members[index].name;
    EXPECT_LE(counts[index], (share + weights - 1) / weights) << members[index].name;
  }
  for (std::size_t left = 0; left < members.size(); ++left) {
    for (std::size_t right = 0; right < members.size(); ++right) {
      const std::int64_t by_left = std::int64_t{counts[left]} * members[right].weight;
      const std::int64_t by_right = std::int64_t{counts[right]} * members[left].weight;
      EXPECT_LE(by_left - by_right, std::int64_t{members[left].weight} * members[right].weight);
    }
  }
}

std::uint32_t most_owned(const Owners& owners, std::size_t members) {
  const std::vector<std::uint32_t> counts = owned(owners, members);
  return *std::max_element(counts.begin(), counts.end());
}

// Rule 2: never a repetition in windows that the counts allow.
void expect_neighbours(const Owners& owners, std::size_t members, std::uint32_t target_n) {
  const auto partitions = static_cast<std::uint32_t>(owners.size());
  const std::uint32_t possible = std::min(target_n, partitions / most_owned(owners, members));
  EXPECT_EQ(crowded_windows(owners, possible), 0u) << "windows of " << possible;
}

// Rule 3.
void expect_few_moves(const Owners& previous, const std::vector<Member>& old_members,
                      const Owners& owners, const std::vector<Member>& new_members) {
  const std::uint32_t forced = forced_moves(previous, old_members, new_members);
  const std::uint32_t moved = moved_partitions(previous, old_members, owners, new_members);
  EXPECT_GE(moved, forced);
  EXPECT_LE(moved, forced + forced / 5 + 4);
}

TEST(Claim, IsBalancedAndNeverRepeatsAmongNeighbours) {
  for (const std::uint32_t partitions : {1u, 7u, 16u, 64u, 97u, 256u, 1000u, 1024u}) {
    for (std::uint32_t count = 1; count <= std::min(partitions, 40u); ++count) {
      for (const std::uint32_t target_n : {1u, 2u, 3u, 4u, 5u, 8u, 16u}) {
        if (target_n > count) break;
        SCOPED_TRACE(::testing::Message() << partitions << " partitions, " << count
                                          << " members, target_n " << target_n);
        const std::vector<Member> members = equal_members(count);
        const Owners owners = claim(members, partitions, target_n);
        ASSERT_EQ(owners.size(), partitions);
        expect_balance(owners, members);
        expect_neighbours(owners, count, target_n);
      }
    }
  }
}

TEST(Claim, HonoursDrawnWeights) {
  SeededRandom random(1, "placement_test/weights");
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint32_t> weights(static_cast<std::size_t>(random.between(1, 20)));
    for (std::uint32_t& weight : weights)
      weight = static_cast<std::uint32_t>(random.chance(0.1) ? random.between(1, 1000)
                                                             : random.between(1, 4));
    const auto partitions = static_cast<std::uint32_t>(random.between(20, 600));
    const auto target_n = static_cast<std::uint32_t>(random.between(1, 5));
    SCOPED_TRACE(::testing::Message() << "round " << round << ", " << partitions << " partitions");
    const std::vector<Member> members = weighted_members(weights);
    const Owners owners = claim(members, partitions, target_n);
    expect_balance(owners, members);
    expect_neighbours(owners, members.size(), target_n);
  }
}

TEST(Claim, LeavesOnlyTheSeamWhenPartitionsAreNoMultipleOfTheMembers) {
  for (const std::uint32_t count : {3u, 4u, 5u}) {
    for (const std::uint32_t partitions : {64u, 256u, 1024u, 1025u, 1027u}) {
      const Owners owners = claim(equal_members(count), partitions, count);
      EXPECT_EQ(crowded_windows(owners, count - 1), 0u);
      EXPECT_LE(crowded_windows(owners, count), count * (count - 1))
          << partitions << " partitions, " << count << " members";
    }
  }
}

TEST(Claim, IsAFunctionOfItsArguments) {
  const std::vector<Member> members = racked_members(7, 2, 2);
  EXPECT_EQ(claim(members, 256, 4), claim(members, 256, 4));
  EXPECT_NE(claim(members, 256, 4), claim(members, 256, 3));
}

// Nodes of different builds that read one configuration must agree.
TEST(Claim, IsTheSameInEveryRelease) {
  EXPECT_EQ(claim(equal_members(5), 16, 3),
            (Owners{0, 1, 3, 0, 4, 2, 1, 0, 2, 1, 3, 4, 0, 2, 4, 3}));
}

TEST(Claim, KeepsTheMembersOfARackApart) {
  for (const std::uint32_t count : {3u, 6u, 9u, 12u, 24u}) {
    const std::vector<Member> members = racked_members(count, 1, 3);
    Owners racks = claim(members, 240, 3);
    for (std::uint32_t& owner : racks) owner %= 3;
    EXPECT_LE(crowded_windows(racks, 2), 4u) << count << " members";
    EXPECT_LE(crowded_windows(racks, 3), 24u) << count << " members";
  }
}

TEST(Claim, LetsManyMembersFollowEachOther) {
  const std::uint32_t count = 8;
  const Owners owners = claim(equal_members(count), 256, 4);
  std::set<std::pair<std::uint32_t, std::uint32_t>> followed_by;
  for (std::size_t partition = 0; partition < owners.size(); ++partition)
    followed_by.emplace(owners[partition], owners[(partition + 1) % owners.size()]);
  EXPECT_EQ(followed_by.size(), count * (count - 1));
}

TEST(Reclaim, AddsAMember) {
  for (const std::uint32_t partitions : {64u, 256u, 1000u}) {
    for (std::uint32_t count = 1; count <= 30; ++count) {
      SCOPED_TRACE(::testing::Message() << partitions << " partitions, " << count << " members");
      const std::vector<Member> before = equal_members(count);
      const std::vector<Member> after = equal_members(count + 1);
      const std::uint32_t target_n = default_target_n(after.size());
      const Owners previous = claim(before, partitions, default_target_n(count));
      const Owners owners = reclaim(previous, before, after, target_n);
      expect_balance(owners, after);
      expect_few_moves(previous, before, owners, after);
      if (count >= target_n) {
        EXPECT_EQ(crowded_windows(owners, target_n), 0u);
        EXPECT_EQ(moved_partitions(previous, before, owners, after),
                  forced_moves(previous, before, after));
      }
    }
  }
}

TEST(Reclaim, RemovesAMember) {
  for (const std::uint32_t partitions : {64u, 256u, 1000u}) {
    for (std::uint32_t count = 2; count <= 30; ++count) {
      SCOPED_TRACE(::testing::Message() << partitions << " partitions, " << count << " members");
      const std::vector<Member> before = equal_members(count);
      std::vector<Member> after = before;
      after.erase(after.begin() + count / 2);
      const std::uint32_t target_n = default_target_n(after.size());
      const Owners previous = claim(before, partitions, default_target_n(count));
      const Owners owners = reclaim(previous, before, after, target_n);
      expect_balance(owners, after);
      expect_few_moves(previous, before, owners, after);
      if (after.size() >= target_n + 3u) {
        EXPECT_EQ(crowded_windows(owners, target_n), 0u);
      }
      if (after.size() >= target_n + 2u) {
        EXPECT_LE(crowded_windows(owners, target_n), partitions / 50 + 2);
      }
    }
  }
}

// Every step starts from the deal that the last one left, as in the life of a cluster.
TEST(Reclaim, GrowsAndShrinksInManySteps) {
  for (const std::uint32_t partitions : {256u, 1024u}) {
    std::vector<Member> members = equal_members(3);
    Owners owners = claim(members, partitions, 3);
    for (std::uint32_t step = 0; step < 40; ++step) {
      std::vector<Member> after = members;
      if (step < 20)
        after.push_back(member_numbered(step + 4));
      else
        after.erase(after.begin() + step * 7 % static_cast<std::ptrdiff_t>(after.size()));
      SCOPED_TRACE(::testing::Message() << "step " << step << ", " << after.size() << " members");
      const std::uint32_t target_n = default_target_n(after.size());
      const Owners next = reclaim(owners, members, after, target_n);
      expect_balance(next, after);
      expect_few_moves(owners, members, next, after);
      if (after.size() >= target_n + 3u) {
        EXPECT_EQ(crowded_windows(next, target_n), 0u);
      }
      members = std::move(after);
      owners = next;
    }
  }
}

TEST(Reclaim, FollowsDrawnChangesOfWeightsAndMembers) {
  SeededRandom random(2, "placement_test/changes");
  for (int round = 0; round < 100; ++round) {
    std::vector<Member> members = equal_members(static_cast<std::uint32_t>(random.between(1, 12)));
    const auto partitions = static_cast<std::uint32_t>(random.between(32, 512));
    Owners owners = claim(members, partitions, default_target_n(members.size()));
    for (std::uint32_t step = 0; step < 10; ++step) {
      SCOPED_TRACE(::testing::Message() << "round " << round << ", step " << step);
      std::vector<Member> after = members;
      const std::size_t chosen = random.below(after.size());
      const std::uint64_t change = random.below(4);
      if (change == 0 && after.size() > 1) after.erase(after.begin() + chosen);
      if (change == 1) after.push_back(member_numbered(100 + step));
      if (change == 2) after[chosen].weight = static_cast<std::uint32_t>(random.between(1, 5));
      if (change == 3) std::reverse(after.begin(), after.end());
      const Owners next = reclaim(owners, members, after, default_target_n(after.size()));
      expect_balance(next, after);
      expect_few_moves(owners, members, next, after);
      members = std::move(after);
      owners = next;
    }
  }
}

TEST(Reclaim, ReplacesAMemberInItsPlaces) {
  const std::vector<Member> before = equal_members(6);
  std::vector<Member> after = before;
  after[2] = member_numbered(99);
  const Owners previous = claim(before, 256, 4);
  EXPECT_EQ(reclaim(previous, before, after, 4), previous);
  EXPECT_EQ(moved_partitions(previous, before, previous, after), owned(previous, 6)[2]);
}

TEST(Reclaim, WithoutAChangeMovesNothing) {
  for (std::uint32_t count = 1; count <= 12; ++count) {
    const std::vector<Member> members = equal_members(count);
    const std::uint32_t target_n = default_target_n(count);
    const Owners previous = claim(members, 256, target_n);
    EXPECT_EQ(reclaim(previous, members, members, target_n), previous) << count << " members";
  }
}

TEST(Reclaim, KnowsMembersByIdNotByIndex) {
  const std::vector<Member> before = equal_members(6);
  std::vector<Member> after = before;
  std::reverse(after.begin(), after.end());
  const Owners previous = claim(before, 256, 4);
  const Owners owners = reclaim(previous, before, after, 4);
  EXPECT_EQ(moved_partitions(previous, before, owners, after), 0u);
  for (std::size_t partition = 0; partition < owners.size(); ++partition)
    EXPECT_EQ(after[owners[partition]].id, before[previous[partition]].id);
}

TEST(CrowdedWindows, CountsWrapsToo) {
  EXPECT_EQ(crowded_windows({0, 1, 2, 0, 1, 2}, 3), 0u);
  EXPECT_EQ(crowded_windows({0, 1, 2, 0}, 2), 1u);
  EXPECT_EQ(crowded_windows({0, 1, 2, 0}, 3), 2u);
  EXPECT_EQ(crowded_windows({0}, 1), 0u);
}

}  // namespace
}  // namespace ringwright
