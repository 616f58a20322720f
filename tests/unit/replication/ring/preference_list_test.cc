#include "replication/ring/preference_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "tests/unit/replication/ring/members.h"

namespace ringwright {
namespace {

using testing::equal_members;
using testing::racked_members;

// Five members whose partition p is owned by member p: the order of token 0 is 0, 1, 2, 3, 4.
Ring in_turn() {
  Result<Ring> ring = Ring::make_with_owners(1, equal_members(5), {0, 1, 2, 3, 4});
  EXPECT_TRUE(ring);
  return std::move(ring).value();
}

PreferenceEntry primary(std::uint32_t member) { return {member, Role::primary, member}; }
PreferenceEntry fallback(std::uint32_t member, std::uint32_t stands_in_for) {
  return {member, Role::fallback, stands_in_for};
}
using Entries = std::vector<PreferenceEntry>;

TEST(PreferenceList, IsThePrimariesWhenAllAreAlive) {
  EXPECT_EQ(preference_list(in_turn(), 0, 3, {true, true, true, true, true}),
            (Entries{primary(0), primary(1), primary(2)}));
}

TEST(PreferenceList, ReplacesTheDeadInTheirPlaces) {
  EXPECT_EQ(preference_list(in_turn(), 0, 3, {true, false, true, true, true}),
            (Entries{primary(0), fallback(3, 1), primary(2)}));
  EXPECT_EQ(preference_list(in_turn(), 0, 3, {false, true, false, true, true}),
            (Entries{fallback(3, 0), primary(1), fallback(4, 2)}));
}

TEST(PreferenceList, SkipsDeadStandIns) {
  EXPECT_EQ(preference_list(in_turn(), 0, 3, {true, false, true, false, true}),
            (Entries{primary(0), fallback(4, 1), primary(2)}));
}

TEST(PreferenceList, LeavesOutWhomNobodyCanStandInFor) {
  EXPECT_EQ(preference_list(in_turn(), 0, 3, {false, false, false, true, true}),
            (Entries{fallback(3, 0), fallback(4, 1)}));
  EXPECT_EQ(preference_list(in_turn(), 0, 3, {false, false, true, false, false}),
            (Entries{primary(2)}));
  EXPECT_EQ(preference_list(in_turn(), 0, 3, {false, false, false, false, false}), Entries{});
}

TEST(PreferenceList, WithFewerMembersThanNHasNoFallbacks) {
  EXPECT_EQ(preference_list(in_turn(), 0, 9, {true, false, true, true, true}),
            (Entries{primary(0), primary(2), primary(3), primary(4)}));
  EXPECT_EQ(primaries(in_turn(), 0, 9).size(), 5u);
  EXPECT_EQ(preference_list(in_turn(), 0, 0, {true, true, true, true, true}), Entries{});
}

TEST(PreferenceList, FollowsTheTokenAroundTheRing) {
  EXPECT_EQ(primaries(in_turn(), UINT64_MAX, 3), (std::vector<std::uint32_t>{4, 0, 1}));
  EXPECT_TRUE(is_primary(in_turn(), UINT64_MAX, 3, 0));
  EXPECT_FALSE(is_primary(in_turn(), UINT64_MAX, 3, 2));
}

void expect_laws(const Ring& ring, Token token, std::uint32_t n, const std::vector<bool>& alive) {
  const std::vector<std::uint32_t> natural = primaries(ring, token, n);
  const Entries entries = preference_list(ring, token, n, alive);
  const auto living = std::count(alive.begin(), alive.end(), true);
  EXPECT_EQ(entries.size(), std::min<std::size_t>(natural.size(), living));

  std::set<std::uint32_t> asked;
  auto next = natural.begin();
  for (const PreferenceEntry& entry : entries) {
    EXPECT_TRUE(asked.insert(entry.member).second);
    EXPECT_TRUE(alive[entry.member]);
    next = std::find(next, natural.end(), entry.stands_in_for);
    ASSERT_NE(next, natural.end()) << "out of the primaries' order";
    const bool own_place = entry.member == entry.stands_in_for;
    EXPECT_EQ(entry.role == Role::primary, own_place);
    EXPECT_EQ(is_primary(ring, token, n, entry.member), own_place);
    EXPECT_EQ(alive[entry.stands_in_for], own_place);
  }
  for (const std::uint32_t member : natural) EXPECT_TRUE(!alive[member] || asked.contains(member));
}

TEST(PreferenceList, KeepsItsLawsForDrawnRingsAndFailures) {
  SeededRandom random(1, "preference_list_test");
  for (int round = 0; round < 200; ++round) {
    const auto count = static_cast<std::uint32_t>(random.between(1, 12));
    const std::vector<Member> members =
        racked_members(count, 1 + static_cast<std::uint32_t>(random.below(3)),
                       1 + static_cast<std::uint32_t>(random.below(3)));
    const Result<Ring> ring = random.chance(0.5) ? Ring::make(1, members, 64)
                                                 : Ring::make_random_tokens(1, members, 8, random);
    ASSERT_TRUE(ring);
    for (int draw = 0; draw < 50; ++draw) {
      std::vector<bool> alive(count);
      for (std::uint32_t member = 0; member < count; ++member) alive[member] = random.chance(0.7);
      const auto n = static_cast<std::uint32_t>(random.between(1, 6));
      expect_laws(*ring, random.next(), n, alive);
    }
  }
}

}  // namespace
}  // namespace ringwright
