#include "replication/ring/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/limits.h"
#include "tests/unit/replication/ring/members.h"

namespace ringwright {
namespace {

using testing::equal_members;
using testing::racked_members;
using testing::weighted_members;

Ring made(std::vector<Member> members, std::uint32_t partitions = 256) {
  Result<Ring> ring = Ring::make(1, std::move(members), partitions);
  EXPECT_TRUE(ring) << ring.status().to_string();
  return std::move(ring).value();
}

Ring made_of_tokens(std::vector<Member> members, std::uint32_t tokens, std::uint64_t seed = 1) {
  SeededRandom random(seed, "ring_test/tokens");
  Result<Ring> ring = Ring::make_random_tokens(1, std::move(members), tokens, random);
  EXPECT_TRUE(ring) << ring.status().to_string();
  return std::move(ring).value();
}

// The next distinct owners from a partition on, found step by step; members that own nothing last.
std::vector<std::uint32_t> walked(const Ring& ring, std::uint32_t partition) {
  std::vector<std::uint32_t> order;
  const auto append = [&](std::uint32_t member) {
    if (std::find(order.begin(), order.end(), member) == order.end()) order.push_back(member);
  };
  for (std::uint32_t step = 0; step < ring.partitions(); ++step)
    append(ring.owner((partition + step) % ring.partitions()));
  for (std::uint32_t member = 0; member < ring.members().size(); ++member) append(member);
  return order;
}

void expect_orders_hold_each_member_once(const Ring& ring) {
  for (std::uint32_t partition = 0; partition < ring.partitions(); ++partition) {
    const std::span<const std::uint32_t> order = ring.order(partition);
    ASSERT_EQ(order.size(), ring.members().size());
    EXPECT_EQ(order.front(), ring.owner(partition));
    const std::set<std::uint32_t> distinct(order.begin(), order.end());
    EXPECT_EQ(distinct.size(), order.size());
    EXPECT_LT(*distinct.rbegin(), ring.members().size());
  }
}

// Share of the token space, in partitions' own measure.
std::vector<double> shares(const Ring& ring) {
  std::vector<double> share(ring.members().size());
  for (std::uint32_t partition = 0; partition < ring.partitions(); ++partition) {
    const Token next = ring.first_token((partition + 1) % ring.partitions());
    share[ring.owner(partition)] += std::ldexp(next - ring.first_token(partition), -64);
  }
  return share;
}

TEST(Ring, RefusesWhatCannotBeARing) {
  const auto refused = [](std::vector<Member> members, std::uint32_t partitions) {
    const Result<Ring> ring = Ring::make(1, std::move(members), partitions);
    EXPECT_EQ(ring.status().code(), Code::invalid);
    return ring.status().message();
  };
  EXPECT_EQ(refused({}, 8), "a ring needs at least one member");
  EXPECT_EQ(refused(equal_members(3), 0), "a ring needs at least one partition");
  EXPECT_EQ(refused(equal_members(3), 2), "2 partitions are too few for 3 members: each needs one");
  EXPECT_EQ(refused(equal_members(3), limits::partitions_max + 1),
            "a ring has at most 65536 partitions, not 65537");
  EXPECT_EQ(refused(equal_members(1025), 2048), "a ring has at most 1024 members, not 1025");
  EXPECT_EQ(refused(equal_members(1024), 65536),
            "65536 partitions are too many for 1024 members: their product is at most 16777216");
  EXPECT_EQ(refused(weighted_members({1, 0}), 8), "member 'node2' has weight 0");
  std::vector<Member> twins = equal_members(2);
  twins[1].name = "node1";
  EXPECT_EQ(refused(twins, 8), "two members have the name 'node1'");
  twins = equal_members(2);
  twins[1].id = twins[0].id;
  EXPECT_EQ(refused(twins, 8).find("two members have the id "), 0u);
}

TEST(Ring, RefusesOwnersAndTokensThatCannotBe) {
  EXPECT_EQ(Ring::make_with_owners(1, equal_members(2), {0, 2}).status().code(), Code::invalid);
  EXPECT_EQ(Ring::make_with_owners(1, equal_members(2), {0}).status().code(), Code::invalid);
  SeededRandom random(1, "ring_test/refused");
  const auto refused = [&](std::vector<Member> members, std::uint32_t tokens) {
    return Ring::make_random_tokens(1, std::move(members), tokens, random).status().code() ==
           Code::invalid;
  };
  EXPECT_TRUE(refused({}, 8));
  EXPECT_TRUE(refused(equal_members(2), 0));
  EXPECT_TRUE(refused(equal_members(2), UINT32_MAX));
  EXPECT_TRUE(refused(weighted_members({UINT32_MAX, UINT32_MAX}), UINT32_MAX));
}

TEST(Ring, TakesTheGreatestThatLimitsAllow) {
  const Ring ring = made(equal_members(1024), 16384);
  expect_orders_hold_each_member_once(ring);
  EXPECT_EQ(made(equal_members(1), limits::partitions_max).partitions(), limits::partitions_max);
}

TEST(Ring, FindsMembersByIdAndName) {
  const Ring ring = made(equal_members(9));
  for (std::uint32_t index = 0; index < 9; ++index) {
    EXPECT_EQ(ring.index_of(ring.members()[index].id), index);
    EXPECT_EQ(ring.index_of_name(ring.members()[index].name), index);
  }
  EXPECT_EQ(ring.index_of({7, 10}), std::nullopt);
  EXPECT_EQ(ring.index_of({8, 0}), std::nullopt);
  EXPECT_EQ(ring.index_of_name("node10"), std::nullopt);
  EXPECT_EQ(ring.index_of_name(""), std::nullopt);
}

TEST(Ring, CutsTheTokensIntoEqualPartitions) {
  for (const std::uint32_t partitions : {1u, 3u, 7u, 256u, 1000u, 65536u}) {
    const Ring ring = made(equal_members(1), partitions);
    EXPECT_EQ(ring.partition_of(0), 0u);
    EXPECT_EQ(ring.partition_of(UINT64_MAX), partitions - 1);
    for (std::uint32_t partition = 1; partition < partitions; ++partition) {
      EXPECT_EQ(ring.partition_of(ring.first_token(partition)), partition);
      EXPECT_EQ(ring.partition_of(ring.first_token(partition) - 1), partition - 1);
    }
  }
}

TEST(Ring, OrdersAreWalksAroundTheCircle) {
  for (const std::uint32_t count : {1u, 2u, 3u, 5u, 8u, 20u}) {
    const Ring equal = made(equal_members(count), 64);
    const Ring random = made_of_tokens(equal_members(count), 4);
    for (const Ring* ring : {&equal, &random}) {
      expect_orders_hold_each_member_once(*ring);
      for (std::uint32_t partition = 0; partition < ring->partitions(); ++partition) {
        const std::span<const std::uint32_t> order = ring->order(partition);
        EXPECT_EQ(std::vector(order.begin(), order.end()), walked(*ring, partition));
      }
    }
  }
}

TEST(Ring, OrdersHoldMembersThatOwnNothing) {
  const Ring ring = made(weighted_members({1, 100, 1, 100}), 8);
  expect_orders_hold_each_member_once(ring);
}

// Among the leading entries data centres, and the racks of each, differ by one entry at most.
TEST(Ring, OrdersSpreadOverDataCentresAndRacks) {
  for (const auto& [count, centres, racks] :
       {std::tuple(6u, 1u, 3u), {12u, 2u, 3u}, {12u, 3u, 2u}, {27u, 3u, 3u}, {8u, 1u, 2u}}) {
    const std::vector<Member> members = racked_members(count, centres, racks);
    for (const Ring& ring : {made(members), made_of_tokens(members, 16)}) {
      expect_orders_hold_each_member_once(ring);
      for (std::uint32_t partition = 0; partition < ring.partitions(); ++partition) {
        std::set<std::string> seen_centres;
        std::set<std::pair<std::string, std::string>> seen_racks;
        for (std::uint32_t entry = 0; entry < centres * racks; ++entry) {
          const Member& member = members[ring.order(partition)[entry]];
          seen_centres.insert(member.data_centre);
          seen_racks.emplace(member.data_centre, member.rack);
          EXPECT_EQ(seen_centres.size(), std::min(entry + 1, centres));
          EXPECT_EQ(seen_racks.size(), entry + 1);
        }
      }
    }
  }
}

TEST(Ring, ASmallDataCentreIsExhaustedNotRepeated) {
  std::vector<Member> members = equal_members(8);
  members[5].data_centre = "far";
  const Ring ring = made(members);
  expect_orders_hold_each_member_once(ring);
  for (std::uint32_t partition = 0; partition < ring.partitions(); ++partition) {
    const std::span<const std::uint32_t> order = ring.order(partition);
    EXPECT_TRUE(order[0] == 5 || order[1] == 5);
  }
}

TEST(Ring, SharesReplicasEvenly) {
  for (const std::uint32_t count : {3u, 4u, 5u, 6u, 8u, 10u, 12u}) {
    for (std::uint32_t n = 1; n <= 4 && n <= count; ++n) {
      const Ring ring = made(equal_members(count), 1024);
      std::vector<std::uint32_t> kept(count);
      std::vector<std::uint32_t> owned(count);
      for (std::uint32_t partition = 0; partition < ring.partitions(); ++partition) {
        ++owned[ring.owner(partition)];
        for (const std::uint32_t member : ring.order(partition).first(n)) ++kept[member];
      }
      // Where nothing repeats, a partition's n replicas are the owners of n partitions in a row.
      for (std::uint32_t member = 0; member < count; ++member)
        EXPECT_EQ(kept[member], n == count ? ring.partitions() : n * owned[member]);
    }
  }
}

TEST(Ring, HashNamesThePlacement) {
  const std::vector<Member> members = racked_members(6, 2, 2);
  const Ring ring = made(members);
  EXPECT_EQ(made(members).hash(), ring.hash());
  EXPECT_EQ(Ring::make(9, members, 256)->hash(), ring.hash());
  EXPECT_EQ(Ring::make(9, members, 256)->epoch(), 9u);
  EXPECT_EQ(Ring::make_with_owners(2, members, ring.owners())->hash(), ring.hash());

  std::set<std::uint64_t> hashes = {ring.hash(), made(members, 128).hash(),
                                    made_of_tokens(members, 8, 1).hash(),
                                    made_of_tokens(members, 8, 2).hash()};
  std::vector<Member> changed = members;
  changed[1].rack = "rack9";
  hashes.insert(made(changed).hash());
  changed = members;
  changed[1].data_centre = "dc9";
  hashes.insert(made(changed).hash());
  changed = members;
  changed[1].id.high = 9;
  hashes.insert(made(changed).hash());
  changed = members;
  changed[1].name = "other";
  hashes.insert(made(changed).hash());
  changed = members;
  for (Member& member : changed) member.weight = 2;
  hashes.insert(made(changed).hash());
  changed = members;
  std::swap(changed[0], changed[1]);
  hashes.insert(made(changed).hash());
  std::vector<std::uint32_t> owners = ring.owners();
  std::swap(owners[0], owners[1]);
  hashes.insert(Ring::make_with_owners(1, members, owners)->hash());
  EXPECT_EQ(hashes.size(), 11u);
}

// Nodes of different builds compare hashes.
TEST(Ring, HashIsTheSameInEveryRelease) {
  EXPECT_EQ(made(racked_members(5, 1, 2), 64).hash(), 0xcd7d212508437d20u);
}

TEST(RandomTokens, CoverTheTokensWithAWrap) {
  const Ring ring = made_of_tokens(equal_members(5), 16);
  EXPECT_EQ(ring.partitions(), 80u);
  for (std::uint32_t partition = 0; partition < ring.partitions(); ++partition) {
    const Token first = ring.first_token(partition);
    EXPECT_EQ(ring.partition_of(first), partition);
    EXPECT_EQ(ring.partition_of(first - 1), (partition + 79) % 80);
  }
  EXPECT_EQ(ring.partition_of(0), 79u);
  EXPECT_EQ(ring.partition_of(UINT64_MAX), 79u);
}

TEST(RandomTokens, FollowFromTheDraws) {
  EXPECT_EQ(made_of_tokens(equal_members(5), 16, 3).hash(),
            made_of_tokens(equal_members(5), 16, 3).hash());
}

TEST(RandomTokens, DrawAgainWhatIsTaken) {
  struct Repeating final : Random {
    std::uint64_t next() override { return ++draws / 2; }
    std::uint64_t draws = 0;
  } random;
  const Result<Ring> ring = Ring::make_random_tokens(1, equal_members(3), 4, random);
  ASSERT_TRUE(ring);
  EXPECT_EQ(ring->partitions(), 12u);
}

// A share's deviation is about 1/sqrt(T) of it; four times that bounds every one of many draws.
TEST(RandomTokens, AreBalancedWithinTheirStatistics) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const std::vector<Member> members = weighted_members({1, 1, 2, 1, 4, 1, 2});
    const Ring ring = made_of_tokens(members, 256, seed);
    const std::vector<double> share = shares(ring);
    for (std::size_t member = 0; member < members.size(); ++member) {
      const double due = members[member].weight / 12.0;
      const double tokens = 256.0 * members[member].weight;
      EXPECT_NEAR(share[member], due, due * 4 / std::sqrt(tokens)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace ringwright
