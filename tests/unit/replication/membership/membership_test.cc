#include "replication/membership/membership.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "tests/unit/replication/ring/members.h"

namespace ringwright {
namespace {

using Indices = std::vector<std::uint32_t>;
using States = std::vector<MemberState>;
constexpr MemberState alive = MemberState::alive;
constexpr MemberState suspect = MemberState::suspect;

constexpr Instant start = 1'000'000;
constexpr Nanoseconds interval = 100;
constexpr Nanoseconds patience = 500;

std::shared_ptr<const Ring> ring_of(std::uint32_t members) {
  Result<Ring> ring = Ring::make(1, testing::equal_members(members), 16);
  EXPECT_TRUE(ring);
  return std::make_shared<const Ring>(std::move(ring).value());
}

// Node 1 of three.
FixedMembership one_of_three() { return {ring_of(3), 1, start, interval, patience}; }

TEST(View, AsksOnlyTheAlive) {
  const View view{nullptr, {alive, suspect, MemberState::dead, MemberState::left, alive}, 1};
  EXPECT_EQ(view.alive(), (std::vector<bool>{true, false, false, false, true}));
}

TEST(FixedMembership, StartsWithAllAlive) {
  const auto ring = ring_of(3);
  const FixedMembership membership(ring, 1, start);
  EXPECT_EQ(membership.view()->ring, ring);
  EXPECT_EQ(membership.view()->states, (States{alive, alive, alive}));
  EXPECT_EQ(membership.view()->version, 1u);
  EXPECT_EQ(membership.next_deadline(), start);
}

TEST(FixedMembership, PingsAllOthersInEachInterval) {
  FixedMembership membership = one_of_three();
  EXPECT_EQ(membership.tick(start), (Indices{0, 2}));
  EXPECT_EQ(membership.next_deadline(), start + interval);
  EXPECT_EQ(membership.tick(start), Indices{});
  EXPECT_EQ(membership.tick(start + interval - 1), Indices{});
  EXPECT_EQ(membership.tick(start + interval), (Indices{0, 2}));
}

TEST(FixedMembership, DoesNotMakeUpForLatePings) {
  FixedMembership membership = one_of_three();
  EXPECT_EQ(membership.tick(start + 5 * interval + 30), (Indices{0, 2}));
  EXPECT_EQ(membership.next_deadline(), start + 6 * interval + 30);
  EXPECT_EQ(membership.tick(start + 5 * interval + 31), Indices{});
}

TEST(FixedMembership, SuspectsTheSilent) {
  FixedMembership membership = one_of_three();
  membership.heard_from(0, start + 200);
  membership.tick(start + patience - 1);
  EXPECT_EQ(membership.view()->states, (States{alive, alive, alive}));
  EXPECT_EQ(membership.next_deadline(), start + patience);
  membership.tick(start + patience);
  EXPECT_EQ(membership.view()->states, (States{alive, alive, suspect}));
  membership.tick(start + 200 + patience);
  EXPECT_EQ(membership.view()->states, (States{suspect, alive, suspect}));
}

TEST(FixedMembership, SuspectsTheUnreachableAtOnce) {
  FixedMembership membership = one_of_three();
  membership.unreachable(2, start + 1);
  EXPECT_EQ(membership.view()->states, (States{alive, alive, suspect}));
  membership.tick(start + 2);
  EXPECT_EQ(membership.view()->states, (States{alive, alive, suspect}));
}

TEST(FixedMembership, PingsSuspectsAndFindsThemAgain) {
  FixedMembership membership = one_of_three();
  membership.unreachable(2, start);
  EXPECT_EQ(membership.tick(start), (Indices{0, 2}));
  membership.heard_from(2, start + 10 * interval);
  EXPECT_EQ(membership.view()->states, (States{alive, alive, alive}));
  membership.tick(start + 10 * interval + patience - 1);
  EXPECT_EQ(membership.view()->states, (States{suspect, alive, alive}));
}

TEST(FixedMembership, AnOlderMessageDoesNotShortenPatience) {
  FixedMembership membership = one_of_three();
  membership.heard_from(0, start + 300);
  membership.heard_from(0, start + 100);
  membership.tick(start + 100 + patience);
  EXPECT_EQ(membership.view()->states[0], alive);
}

TEST(FixedMembership, NeverDoubtsItself) {
  FixedMembership membership = one_of_three();
  membership.unreachable(1, start);
  membership.heard_from(1, start);
  EXPECT_EQ(membership.view()->version, 1u);
  EXPECT_EQ(membership.tick(start + 100 * patience), (Indices{0, 2}));
  EXPECT_EQ(membership.view()->states, (States{suspect, alive, suspect}));
}

TEST(FixedMembership, AloneHasNothingToDo) {
  FixedMembership membership(ring_of(1), 0, start);
  EXPECT_EQ(membership.next_deadline(), never);
  EXPECT_EQ(membership.tick(start + seconds(100)), Indices{});
  EXPECT_EQ(membership.next_deadline(), never);
  EXPECT_EQ(membership.view()->version, 1u);
}

TEST(FixedMembership, PublishesOneNewViewForEachChange) {
  FixedMembership membership = one_of_three();
  const auto first = membership.view();
  membership.heard_from(0, start);
  membership.tick(start);
  EXPECT_EQ(membership.view(), first);
  membership.tick(start + patience);
  const auto second = membership.view();
  EXPECT_EQ(second->version, 2u);
  EXPECT_EQ(second->states, (States{suspect, alive, suspect}));
  membership.unreachable(0, start + patience);
  EXPECT_EQ(membership.view(), second);
  membership.heard_from(0, start + patience);
  EXPECT_EQ(membership.view()->version, 3u);
  EXPECT_EQ(first->states, (States{alive, alive, alive}));
  EXPECT_EQ(second->states, (States{suspect, alive, suspect}));
}

TEST(FixedMembership, SpansWithoutEndDoNotOverflow) {
  FixedMembership membership(ring_of(2), 0, start, never, never);
  EXPECT_EQ(membership.tick(start), Indices{1});
  EXPECT_EQ(membership.next_deadline(), never);
}

// A second, plain account of the rules beside the machine, under drawn events.
TEST(FixedMembership, KeepsItsInvariantsForDrawnEvents) {
  SeededRandom random(1, "membership_test");
  for (int round = 0; round < 50; ++round) {
    const auto members = static_cast<std::uint32_t>(random.between(1, 6));
    const auto self = static_cast<std::uint32_t>(random.below(members));
    FixedMembership membership(ring_of(members), self, start, interval, patience);
    std::vector<Instant> heard(members, start);
    std::vector<bool> lost(members, false);
    Instant now = start;
    for (int event = 0; event < 400; ++event) {
      now += static_cast<Nanoseconds>(random.below(150));
      const auto before = membership.view();
      const auto member = static_cast<std::uint32_t>(random.below(members));
      if (random.chance(0.4)) {
        membership.heard_from(member, now);
        heard[member] = now;
        lost[member] = false;
      } else if (random.chance(0.1)) {
        membership.unreachable(member, now);
        lost[member] = true;
      }
      membership.tick(now);
      EXPECT_GT(membership.next_deadline(), now);
      const auto after = membership.view();
      for (std::uint32_t other = 0; other < members; ++other) {
        const bool up = other == self || (!lost[other] && now - heard[other] < patience);
        EXPECT_EQ(after->states[other], up ? alive : suspect);
      }
      if (after == before) continue;
      EXPECT_GT(after->version, before->version);
    }
  }
}

}  // namespace
}  // namespace ringwright
