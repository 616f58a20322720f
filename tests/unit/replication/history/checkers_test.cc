#include "replication/history/checkers.h"

#include <gtest/gtest.h>

namespace ringwright {
namespace {

Actor actor(std::uint64_t number) { return {{1, number}, 100 + number, 1}; }
Dot dot(std::uint64_t number, std::uint64_t counter) { return {actor(number), counter}; }

Context covering(std::initializer_list<Dot> dots, Timestamp stamp = 0) {
  Context context = empty_context("default", "k");
  for (const Dot& each : dots) context.vector.raise(each, 1);
  context.stamp = stamp;
  return context;
}

// A small history, written by hand: operations of key "k" by clients of their own.
struct Story {
  HistoryOperation& add(OperationKind kind, Bytes value, Outcome outcome) {
    HistoryOperation operation;
    operation.id = history.size() + 1;
    operation.client = static_cast<std::uint32_t>(history.size());
    operation.key = "k";
    operation.kind = kind;
    operation.value = std::move(value);
    operation.outcome = outcome;
    operation.invoke_t = static_cast<Instant>(history.size()) * 10;
    operation.return_t = operation.invoke_t + 5;
    operation.coordinator = "node1";
    history.push_back(std::move(operation));
    return history.back();
  }
  HistoryOperation& put(Bytes value, const Dot& event, Timestamp stamp = 1) {
    HistoryOperation& operation = add(OperationKind::put, std::move(value), Outcome::ok);
    operation.events = {{event, stamp}};
    operation.context_out = covering({event});
    return operation;
  }
  FinalState& final_state() { return finals["k"]; }
  std::string first(const Violations& found) const {
    return found.empty() ? "" : to_string(found.front());
  }

  History history;
  FinalStates finals;
};

TEST(CheckNoWriteLost, AcceptsWhatIsThereAndWhatWasReplaced) {
  Story story;
  story.put("a", dot(1, 1));
  story.put("b", dot(2, 1)).context_in = covering({dot(1, 1)});
  story.put("c", dot(3, 1));
  story.add(OperationKind::put, "d", Outcome::unknown);  // may vanish
  story.final_state().siblings = {{"b", dot(2, 1), 1}, {"c", dot(3, 1), 1}};
  story.final_state().context = covering({dot(1, 1), dot(2, 1), dot(3, 1)});
  EXPECT_EQ(story.first(check_no_write_lost(story.history, story.finals)), "");
}

TEST(CheckNoWriteLost, FindsADotThatNobodyCovers) {
  Story story;
  story.put("a", dot(1, 1));
  story.final_state().context = covering({});
  const auto found = check_no_write_lost(story.history, story.finals);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].sentence.find("put 1 of key 'k'"), std::string::npos) << found[0].sentence;
}

TEST(CheckNoWriteLost, FindsAValueThatVanishedUnderItsOwnVector) {
  Story story;
  story.put("a", dot(1, 1));
  story.put("b", dot(1, 2));  // no context: concurrent with "a"
  story.final_state().siblings = {{"b", dot(1, 2), 1}};
  story.final_state().context = covering({dot(1, 2)});
  EXPECT_EQ(check_no_write_lost(story.history, story.finals).size(), 1U);
}

TEST(CheckNoWriteLost, AFailedWriteReplacesNothing) {
  Story story;
  story.put("a", dot(1, 1));
  story.add(OperationKind::remove, "", Outcome::failed).context_in = covering({dot(1, 1)});
  story.final_state().context = covering({dot(1, 1)});
  EXPECT_EQ(check_no_write_lost(story.history, story.finals).size(), 1U);
  story.history[1].outcome = Outcome::unknown;  // it may have taken effect
  EXPECT_TRUE(check_no_write_lost(story.history, story.finals).empty());
}

TEST(CheckNoWriteLost, EveryAcknowledgedTryCounts) {
  Story story;
  story.put("a", dot(1, 1)).events.push_back({dot(2, 7), 1});
  story.final_state().siblings = {{"a", dot(1, 1), 1}};
  story.final_state().context = covering({dot(1, 1)});
  EXPECT_EQ(check_no_write_lost(story.history, story.finals).size(), 1U);
  story.final_state().context = covering({dot(1, 1), dot(2, 7)});
  // Siblings of one request with equal bytes are shown once.
  EXPECT_TRUE(check_no_write_lost(story.history, story.finals).empty());
}

TEST(CheckContextsHonest, FindsAContextThatCoversTheUnseen) {
  Story story;
  story.put("a", dot(1, 1));
  story.put("b", dot(1, 2));  // its context, actor 1 up to 2, covers "a"
  const auto found = check_contexts_honest(story.history);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].sentence.find("put 1"), std::string::npos);
}

TEST(CheckContextsHonest, AcceptsWhatWasReadOrHadBeenReplaced) {
  Story story;
  story.put("a", dot(1, 1));
  story.put("b", dot(1, 2)).context_in = covering({dot(1, 1)});
  story.put("c", dot(2, 1)).context_out = covering({dot(1, 1), dot(2, 1)});
  EXPECT_EQ(story.first(check_contexts_honest(story.history)), "");
  story.history[1].context_in.reset();
  EXPECT_FALSE(check_contexts_honest(story.history).empty());
}

TEST(CheckNoResurrection, FindsAValueThatCameBack) {
  Story story;
  story.put("a", dot(1, 1));
  auto& removal = story.add(OperationKind::remove, "", Outcome::ok);
  removal.context_in = covering({dot(1, 1)});
  removal.events = {{dot(2, 1), 2}};
  story.final_state().context = covering({dot(1, 1), dot(2, 1)});
  EXPECT_TRUE(check_no_resurrection(story.history, story.finals).empty());
  story.final_state().siblings = {{"a", dot(1, 1), 1}};
  EXPECT_EQ(check_no_resurrection(story.history, story.finals).size(), 1U);
}

TEST(CheckLastWriteWins, TheGreatestAcknowledgedStampIsTheLeast) {
  Story story;
  story.put("a", dot(1, 1), 10);
  story.put("b", dot(2, 1), 20);
  story.final_state().siblings = {{"b", dot(2, 1), 20}};
  EXPECT_EQ(story.first(check_last_write_wins(story.history, story.finals)), "");
  story.final_state().siblings = {{"a", dot(1, 1), 10}};
  EXPECT_EQ(check_last_write_wins(story.history, story.finals).size(), 1U);
}

TEST(CheckLastWriteWins, EqualStampsAreDecidedByTheActor) {
  Story story;
  story.put("a", dot(1, 1), 10);
  story.put("b", dot(2, 1), 10);
  story.final_state().siblings = {{"b", dot(2, 1), 10}};
  EXPECT_EQ(story.first(check_last_write_wins(story.history, story.finals)), "");
  story.final_state().siblings = {{"a", dot(1, 1), 10}};
  EXPECT_EQ(check_last_write_wins(story.history, story.finals).size(), 1U);
  story.final_state().siblings = {{"other", dot(2, 1), 10}};  // the stamp, and another value
  EXPECT_EQ(check_last_write_wins(story.history, story.finals).size(), 1U);
}

TEST(CheckLastWriteWins, ARemovalShowsInTheContextAlone) {
  Story story;
  story.add(OperationKind::remove, "", Outcome::ok).events = {{dot(1, 1), 30}};
  story.final_state().context = covering({}, 30);
  EXPECT_TRUE(check_last_write_wins(story.history, story.finals).empty());
  story.final_state().context = covering({}, 29);
  EXPECT_EQ(check_last_write_wins(story.history, story.finals).size(), 1U);
}

TEST(CheckFailedInvisible, FindsAFailedWriteThatWasRead) {
  Story story;
  story.add(OperationKind::put, "a", Outcome::failed);
  story.add(OperationKind::get, "", Outcome::ok);
  EXPECT_TRUE(check_failed_invisible(story.history, story.finals).empty());
  story.history[1].read = {{"a", dot(1, 1), 1}};
  EXPECT_EQ(check_failed_invisible(story.history, story.finals).size(), 1U);
  story.history[1].read.clear();
  story.final_state().siblings = {{"a", dot(1, 1), 1}};
  EXPECT_EQ(check_failed_invisible(story.history, story.finals).size(), 1U);
  story.history[0].outcome = Outcome::unknown;
  EXPECT_TRUE(check_failed_invisible(story.history, story.finals).empty());
}

TEST(CheckFailedInvisible, FindsAWriteAnsweredBothWays) {
  Story story;
  story.add(OperationKind::remove, "", Outcome::failed).events = {{dot(1, 1), 1}};
  EXPECT_EQ(check_failed_invisible(story.history, story.finals).size(), 1U);
}

TEST(CheckIntegrity, FindsWhatNobodyWroteForTheKey) {
  Story story;
  story.put("a", dot(1, 1));
  story.put("b", dot(2, 1)).key = "other";
  story.add(OperationKind::get, "", Outcome::ok).read = {{"a", dot(1, 1), 1}};
  EXPECT_TRUE(check_integrity(story.history, story.finals).empty());
  story.history[2].read = {{"b", dot(2, 1), 1}};
  EXPECT_EQ(check_integrity(story.history, story.finals).size(), 1U);
  story.history[2].read = {{"torn", dot(1, 1), 1}};
  EXPECT_EQ(check_integrity(story.history, story.finals).size(), 1U);
}

TEST(CheckFinalsPresent, FindsAKeyThatNobodyReadInTheEnd) {
  Story story;
  story.put("a", dot(1, 1));
  story.put("b", dot(1, 2));
  EXPECT_EQ(check_finals_present(story.history, story.finals).size(), 1U);
  story.final_state();
  EXPECT_TRUE(check_finals_present(story.history, story.finals).empty());
}

Record record_of(const Dot& event, Bytes value, Timestamp stamp, RecordKind kind) {
  Record record;
  record.kind = kind;
  Sibling sibling;
  sibling.dot = event;
  sibling.value = std::move(value);
  sibling.stamp = stamp;
  if (kind == RecordKind::siblings) record.vector.raise(event, stamp);
  record.siblings.push_back(std::move(sibling));
  return record;
}

TEST(DotWitness, ADotNamesOneWriteOfOneKey) {
  DotWitness witness;
  const Record a = record_of(dot(1, 1), "a", 1, RecordKind::siblings);
  witness.see("k", a, "here");
  witness.see("k", a, "there");
  EXPECT_TRUE(witness.violations().empty());
  witness.see("k", record_of(dot(1, 1), "b", 1, RecordKind::siblings), "there");
  ASSERT_EQ(witness.violations().size(), 1U);
  EXPECT_NE(witness.violations()[0].sentence.find("here"), std::string::npos);
  DotWitness other;
  other.see("k", a, "here");
  other.see("another", a, "here");
  EXPECT_EQ(other.violations().size(), 1U);
}

TEST(DotWitness, OfLastWriteWinsTheStampBelongsToTheName) {
  DotWitness witness;
  witness.see("k", record_of(dot(1, 0), "a", 1, RecordKind::lww), "here");
  witness.see("k", record_of(dot(1, 0), "b", 2, RecordKind::lww), "here");
  EXPECT_TRUE(witness.violations().empty());
  witness.see("k", record_of(dot(1, 0), "c", 2, RecordKind::lww), "here");
  EXPECT_EQ(witness.violations().size(), 1U);
}

TEST(CheckConvergence, FindsCopiesThatDiffer) {
  const Record a = record_of(dot(1, 1), "a", 1, RecordKind::siblings);
  const Record b = record_of(dot(1, 2), "b", 1, RecordKind::siblings);
  EXPECT_TRUE(check_convergence({{"k", "node1", a}, {"k", "node2", a}, {"l", "node1", b}}).empty());
  EXPECT_EQ(check_convergence({{"k", "node1", a}, {"k", "node2", b}}).size(), 1U);
}

}  // namespace
}  // namespace ringwright
