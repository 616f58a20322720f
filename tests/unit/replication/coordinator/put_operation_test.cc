#include "replication/coordinator/put_operation.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using State = PutOperation::State;

const Status refusal{Code::overloaded, "the queue is full"};

std::vector<PreferenceEntry> replicas_of(std::uint32_t count) {
  std::vector<PreferenceEntry> replicas;
  for (std::uint32_t member = 0; member < count; ++member)
    replicas.push_back({member, Role::primary, member});
  return replicas;
}

// Coordinated by member 0 of three.
PutOperation put_of_three(std::uint32_t w) { return {replicas_of(3), 0, w}; }

TEST(PutOperation, BeginsWithTheOwnApplyAndWithoutAnAnswer) {
  PutOperation put = put_of_three(2);
  EXPECT_EQ(put.state(), State::applying);
  EXPECT_EQ(put.replicas().size(), 3u);
  EXPECT_FALSE(put.take_answer());
}

TEST(PutOperation, FailsWhenTheOwnApplyIsRefused) {
  PutOperation put = put_of_three(2);
  put.own_refused({Code::busy, "later"});
  EXPECT_EQ(put.state(), State::answered);
  const Answer answer = put.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::failed);
  EXPECT_EQ(answer.status.code(), Code::busy);
  EXPECT_EQ(answer.required, 2u);
  EXPECT_EQ(answer.received, 0u);
}

TEST(PutOperation, IsUnknownWhenTheOwnApplyIsInDoubt) {
  PutOperation put = put_of_three(2);
  put.own_in_doubt({Code::in_doubt, "who knows"});
  EXPECT_EQ(put.state(), State::answered);
  const Answer answer = put.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::unknown);
  EXPECT_EQ(answer.status.code(), Code::in_doubt);
}

TEST(PutOperation, VisibleOwnCopyLetsItSendButDoesNotCount) {
  PutOperation put = put_of_three(1);
  put.own_applied();
  EXPECT_EQ(put.state(), State::waiting);
  EXPECT_FALSE(put.take_answer());
  put.acknowledged(0, {});
  EXPECT_EQ(put.take_answer().value().outcome, Outcome::ok);
}

TEST(PutOperation, IsOkAfterWDurableAcknowledgements) {
  for (std::uint32_t w = 1; w <= 3; ++w) {
    PutOperation put = put_of_three(w);
    put.own_applied();
    for (std::uint32_t member = 0; member < w; ++member) {
      ASSERT_EQ(put.state(), State::waiting);
      ASSERT_FALSE(put.take_answer());
      put.acknowledged(member, {});
    }
    EXPECT_EQ(put.state(), State::answered);
    const Answer answer = put.take_answer().value();
    EXPECT_EQ(answer.outcome, Outcome::ok);
    EXPECT_TRUE(answer.status.is_ok());
    EXPECT_EQ(answer.required, w);
    EXPECT_EQ(answer.received, w);
  }
}

TEST(PutOperation, IsUnknownAsSoonAsWIsOutOfReach) {
  PutOperation put = put_of_three(2);
  put.own_applied();
  put.acknowledged(0, {});
  put.acknowledged(1, refusal);
  EXPECT_FALSE(put.take_answer()) << "the third may still store it";
  put.acknowledged(2, refusal);
  const Answer answer = put.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::unknown);
  EXPECT_EQ(answer.status.code(), Code::unavailable);
  EXPECT_NE(answer.status.message().find("1 of the 2 needed"), std::string::npos);
  EXPECT_NE(answer.status.message().find("the queue is full"), std::string::npos);
  EXPECT_EQ(answer.received, 1u);
}

TEST(PutOperation, OwnCopyThatCannotBeMadeDurableCountsAsBad) {
  PutOperation put = put_of_three(3);
  put.own_applied();
  put.acknowledged(0, {Code::io_error, "the sync failed"});
  EXPECT_EQ(put.take_answer().value().outcome, Outcome::unknown);
}

TEST(PutOperation, DeadlineBeforeTheHandOverFails) {
  PutOperation put = put_of_three(2);
  put.deadline_passed(false);
  const Answer answer = put.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::failed);
  EXPECT_EQ(answer.status.code(), Code::timed_out);
}

TEST(PutOperation, DeadlineAfterTheHandOverIsUnknown) {
  PutOperation put = put_of_three(2);
  put.deadline_passed(true);
  EXPECT_EQ(put.state(), State::answered);
  const Answer answer = put.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::unknown);
  EXPECT_EQ(answer.status.code(), Code::timed_out);
}

TEST(PutOperation, DeadlineWhileWaitingIsUnknownWhateverIsSaidOfTheHandOver) {
  for (const bool handed_over : {false, true}) {
    PutOperation put = put_of_three(2);
    put.own_applied();
    put.acknowledged(0, {});
    put.deadline_passed(handed_over);
    const Answer answer = put.take_answer().value();
    EXPECT_EQ(answer.outcome, Outcome::unknown);
    EXPECT_EQ(answer.status.code(), Code::timed_out);
    EXPECT_EQ(answer.received, 1u);
  }
}

TEST(PutOperation, NothingAfterTheOwnApplyMakesItFail) {
  PutOperation put = put_of_three(2);
  put.own_applied();
  put.own_refused({Code::busy, "later"});
  put.own_in_doubt({Code::in_doubt, "who knows"});
  EXPECT_EQ(put.state(), State::waiting);
  EXPECT_FALSE(put.take_answer());
}

TEST(PutOperation, EachReplicaCountsOnceAndByItsFirstWord) {
  PutOperation put = put_of_three(2);
  put.own_applied();
  put.acknowledged(1, {});
  put.acknowledged(1, {});
  put.acknowledged(1, refusal);
  put.acknowledged(7, {});
  EXPECT_FALSE(put.take_answer());
  put.acknowledged(2, refusal);
  put.acknowledged(2, {});
  EXPECT_FALSE(put.take_answer());
  put.acknowledged(0, {});
  const Answer answer = put.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::ok);
  EXPECT_EQ(answer.received, 2u);
}

TEST(PutOperation, AnswersOnceWhateverComesLate) {
  PutOperation put = put_of_three(1);
  put.own_applied();
  put.acknowledged(0, {});
  EXPECT_TRUE(put.take_answer());
  EXPECT_FALSE(put.take_answer());
  put.acknowledged(1, {});
  put.acknowledged(2, refusal);
  put.deadline_passed(true);
  put.own_refused(refusal);
  put.own_in_doubt(refusal);
  put.own_applied();
  EXPECT_EQ(put.state(), State::answered);
  EXPECT_FALSE(put.take_answer());
}

TEST(PutOperation, NewsOfAnUnreachableReplicaBeforeTheOwnApplyIsKept) {
  PutOperation put = put_of_three(2);
  put.acknowledged(1, refusal);
  put.acknowledged(2, refusal);
  EXPECT_EQ(put.state(), State::applying) << "the own copy decides between failed and unknown";
  EXPECT_FALSE(put.take_answer());
  put.own_applied();
  put.acknowledged(0, {});
  const Answer answer = put.take_answer().value();
  EXPECT_EQ(answer.outcome, Outcome::unknown);
  EXPECT_EQ(answer.received, 1u);
}

TEST(PutOperation, AStandInCountsLikeAPrimary) {
  std::vector<PreferenceEntry> replicas = replicas_of(2);
  replicas.push_back({5, Role::fallback, 2});
  PutOperation put(replicas, 0, 2);
  put.own_applied();
  put.acknowledged(5, {});
  put.acknowledged(0, {});
  EXPECT_EQ(put.take_answer().value().outcome, Outcome::ok);
}

TEST(PutOperationDeathTest, TheCoordinatorIsOneOfTheReplicas) {
  EXPECT_DEATH(PutOperation(replicas_of(2), 2, 1), "own");
}

// The drawing and the invariants, spelled out over whole histories.
TEST(PutOperation, KeepsItsInvariantsInAnyOrderOfEvents) {
  for (const std::uint64_t seed : test::seeds(5000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "put operation");
    const auto count = static_cast<std::uint32_t>(1 + random.below(4));
    const auto w = static_cast<std::uint32_t>(1 + random.below(count));
    PutOperation put(replicas_of(count), 0, w);
    bool applied = false;
    std::set<std::uint32_t> good;
    std::set<std::uint32_t> bad;
    std::optional<Outcome> expected;
    for (int step = 0; step < 12 && !expected; ++step) {
      const auto member = static_cast<std::uint32_t>(random.below(count + 1));
      const bool handed_over = applied || random.chance(0.5);
      switch (random.below(9)) {
        case 0:
          put.own_refused(refusal);
          if (!applied) expected = Outcome::failed;
          break;
        case 1:
          put.own_in_doubt(refusal);
          if (!applied) expected = Outcome::unknown;
          break;
        case 2:
          put.deadline_passed(handed_over);
          expected = handed_over ? Outcome::unknown : Outcome::failed;
          break;
        case 3:
          put.own_applied();
          applied = true;
          break;
        default: {
          const bool ok = random.chance(0.6);
          put.acknowledged(member, ok ? Status{} : refusal);
          const bool counts = member < count && good.count(member) + bad.count(member) == 0;
          if (counts) (ok ? good : bad).insert(member);
          if (applied && good.size() >= w)
            expected = Outcome::ok;
          else if (applied && count - bad.size() < w)
            expected = Outcome::unknown;
        }
      }
      const auto answer = put.take_answer();
      ASSERT_EQ(answer.has_value(), expected.has_value());
      if (answer) {
        ASSERT_EQ(answer->outcome, *expected);
        ASSERT_EQ(answer->received, good.size());
      }
      ASSERT_EQ(put.state(), expected  ? State::answered
                             : applied ? State::waiting
                                       : State::applying);
    }
  }
}

}  // namespace
}  // namespace ringwright
