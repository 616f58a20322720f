#include "replication/coordinator/put_decision.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "replication/version/merge.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using test::any_key;

constexpr NodeId here{0, 1};
constexpr std::uint64_t start = 0xabc;
constexpr PutLimits roomy{100, 1 << 20};
const Timestamp stamp = timestamp_at(1'000);

PutIntent intent_of(Bytes value, const Context& context = {}) {
  PutIntent intent;
  intent.key = any_key;
  intent.value = std::move(value);
  intent.context = context;
  return intent;
}
PutIntent removal(const Context& context = {}) {
  PutIntent intent = intent_of("ignored", context);
  intent.tombstone = true;
  return intent;
}

Sibling sibling(Dot dot, Bytes value) {
  Sibling made;
  made.dot = dot;
  made.value = std::move(value);
  return made;
}

Context seen(std::initializer_list<Dot> dots) {
  Context context;
  for (const Dot& dot : dots) context.vector.raise(dot, 1);
  context.stamp = 1;
  return context;
}
Context seen_alone(std::initializer_list<Dot> dots) {
  Context context;
  for (const Dot& dot : dots) context.vector.add_detached(dot, 1);
  context.stamp = 1;
  return context;
}

std::set<Bytes> values(const Record& record) {
  std::set<Bytes> shown;
  for (const Sibling& each : record.siblings) shown.insert(each.value);
  return shown;
}

// A put from the row's bytes decides as one from the row.
void expect_same_undecoded(const PutIntent& intent, const PutLimits& bounds, Timestamp at,
                           const Row& row, DotIssuer issuer, const Result<PutDecision>& decision) {
  const auto other = decide_put(intent, bounds, at, encode_row(row, any_key), issuer);
  ASSERT_EQ(other.status(), decision.status());
  if (!decision) return;
  EXPECT_EQ(other->row.mark, decision->row.mark);
  EXPECT_EQ(other->row.damaged, decision->row.damaged);
  EXPECT_EQ(other->row.record, decision->row.record);
  EXPECT_EQ(other->canonical, decision->canonical);
  EXPECT_EQ(other->dot, decision->dot);
  EXPECT_EQ(other->context, decision->context);
}

// One node's rows of a key, and the puts that it coordinates.
class Coordinator {
 public:
  Result<PutDecision> put(const PutIntent& intent, const PutLimits& bounds = roomy) {
    const DotIssuer before = issuer;
    auto decision = decide_put(intent, bounds, ++clock, row, other, issuer);
    if (other.record.empty() && !other.is_damaged())
      expect_same_undecoded(intent, bounds, clock, row, before, decision);
    if (decision) row = decision->row;
    return decision;
  }
  PutDecision done(const PutIntent& intent) { return put(intent).value(); }

  DotIssuer issuer{here, start};
  Timestamp clock = stamp;
  Row row;
  Row other;
};

TEST(DecidePut, FirstPutTakesANewBirthAndMarksTheRow) {
  Coordinator node;
  const PutDecision put = node.done(intent_of("v"));
  EXPECT_EQ(put.dot, (Dot{{here, start, 1}, 2}));
  EXPECT_EQ(put.row.mark, put.dot.actor);
  ASSERT_EQ(put.row.record.siblings.size(), 1u);
  EXPECT_EQ(put.row.record.siblings[0].value, "v");
  EXPECT_EQ(put.row.record.siblings[0].stamp, stamp + 1);
  EXPECT_EQ(put.canonical, encode_record(put.row.record, any_key));
}

TEST(DecidePut, GoesOnUnderTheMark) {
  Coordinator node;
  const PutDecision first = node.done(intent_of("1"));
  const PutDecision second = node.done(intent_of("2", first.context));
  EXPECT_EQ(second.dot.actor, first.dot.actor);
  EXPECT_GT(second.dot.counter, first.dot.counter);
  EXPECT_EQ(second.row.mark, first.row.mark);
  EXPECT_EQ(values(second.row.record), std::set<Bytes>{"2"});
}

TEST(DecidePut, NewBirthWhenTheMarkSaysNothingOfThisStart) {
  Coordinator node;
  const Actor born = node.done(intent_of("1")).dot.actor;
  node.row.mark.reset();
  const Actor second = node.done(intent_of("2")).dot.actor;
  EXPECT_NE(second, born) << "no mark";
  node.issuer = DotIssuer(here, start + 1);
  const Actor third = node.done(intent_of("3")).dot.actor;
  EXPECT_EQ(third.start, start + 1) << "a mark of another start";
  node.issuer.doubt();
  EXPECT_NE(node.done(intent_of("4")).dot.actor, third) << "an apply in doubt";
  EXPECT_EQ(node.row.record.siblings.size(), 4u);
}

TEST(DecidePut, NewBirthWhenTheClientOrTheOtherRowIsAheadForTheMark) {
  const auto actor_after = [](const auto& change) {
    Coordinator node;
    const Dot first = node.done(intent_of("1")).dot;
    const Dot lost{first.actor, node.issuer.issue(first.actor).counter};
    PutIntent intent = intent_of("2");
    change(node, intent, lost);
    return std::pair(first.actor, node.done(intent).dot.actor);
  };
  const auto [born, same] = actor_after([](Coordinator&, PutIntent&, const Dot&) {});
  EXPECT_EQ(born, same);
  const auto [born2, by_entry] = actor_after(
      [](Coordinator&, PutIntent& intent, const Dot& lost) { intent.context = seen({lost}); });
  EXPECT_NE(born2, by_entry);
  const auto [born3, by_dot] = actor_after([](Coordinator&, PutIntent& intent, const Dot& lost) {
    intent.context = seen_alone({lost});
  });
  EXPECT_NE(born3, by_dot);
  const auto [born4, by_row] = actor_after([](Coordinator& node, PutIntent&, const Dot& lost) {
    node.other.record.vector.raise(lost, 1);
  });
  EXPECT_NE(born4, by_row);
  const auto [born5, by_dot_of_row] =
      actor_after([](Coordinator& node, PutIntent&, const Dot& lost) {
        node.other.record.vector.add_detached(lost, 1);
      });
  EXPECT_NE(born5, by_dot_of_row);
}

TEST(DecidePut, DiscardsWhatTheContextCoversAndNothingElse) {
  Coordinator node;
  const PutDecision read = node.done(intent_of("read"));
  node.done(intent_of("unread"));
  const PutDecision put = node.done(intent_of("new", read.context));
  EXPECT_EQ(values(put.row.record), (std::set<Bytes>{"unread", "new"}));
  EXPECT_EQ(values(node.done(removal(put.row.record.context("", any_key))).row.record),
            std::set<Bytes>{""});
  EXPECT_TRUE(node.row.record.siblings[0].tombstone);
}

TEST(DecidePut, StartsFromBothRowsAndMarksTheOneItWrites) {
  Coordinator node;
  const Dot elsewhere{{{0, 2}, 9, 1}, 2};
  node.other.record.vector.raise(elsewhere, 1);
  node.other.record.siblings.push_back(sibling(elsewhere, "stand-in's"));
  node.other.mark = elsewhere.actor;
  const PutDecision put = node.done(intent_of("own"));
  EXPECT_EQ(values(put.row.record), (std::set<Bytes>{"stand-in's", "own"}));
  EXPECT_EQ(put.row.mark, put.dot.actor);
  EXPECT_NE(put.row.mark, node.other.mark);
  const PutDecision next = node.done(intent_of("next", seen({elsewhere})));
  EXPECT_EQ(values(next.row.record), (std::set<Bytes>{"own", "next"}));
}

TEST(DecidePut, DamagedOwnCopyCannotCoordinate) {
  for (const bool own : {true, false}) {
    Coordinator node;
    (own ? node.row : node.other).damaged = {"?"};
    EXPECT_EQ(node.put(intent_of("v")).status().code(), Code::corrupt);
    EXPECT_EQ(node.issuer.new_birth().birth, 1u) << "nothing was issued";
  }
}

TEST(DecidePut, ContextFromNowhereIsRefused) {
  Coordinator node;
  const PutDecision put = node.done(intent_of("v"));
  const Dot never_issued{put.dot.actor, put.dot.counter + 1};
  for (const Context& context : {seen({never_issued}), seen_alone({never_issued})})
    EXPECT_EQ(node.put(intent_of("w", context)).status().code(), Code::invalid);
  EXPECT_EQ(node.issuer.issue(put.dot.actor).counter, put.dot.counter + 1) << "nothing was issued";
}

// --- the client's context ---

TEST(DecidePut, OfAnyRowThatIsNotDecodedIsTheSame) {
  for (const std::uint64_t seed : test::seeds(3000)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "undecoded");
    Row row;
    row.record = test::any_record(random, RecordKind::siblings);
    DotIssuer issuer({1, 7}, 0xf00d);
    for (int i = 0; i < 8; ++i) issuer.new_birth();
    if (random.chance(0.7)) row.mark = test::any_actor(random);
    PutIntent intent = intent_of("new");
    intent.tombstone = random.chance(0.2);
    if (random.chance(0.3)) intent.request = {random.below(2), 1, random.below(2)};
    // Mostly of who has seen the row, and now and then more or less than that.
    if (random.chance(0.7)) intent.context.vector = row.record.vector;
    if (random.chance(0.4)) intent.context.vector.raise({test::any_actor(random), 2}, 3);
    if (random.chance(0.2)) test::add_any_detached(random, intent.context.vector);
    const DotIssuer before = issuer;
    const auto decision = decide_put(intent, roomy, stamp, row, {}, issuer);
    expect_same_undecoded(intent, roomy, stamp, row, before, decision);
  }
}

TEST(PutContext, NamesTheOwnEventAndAllBeforeItWhenNothingIsUnread) {
  Coordinator node;
  const PutDecision first = node.done(intent_of("1"));
  EXPECT_TRUE(first.context.vector.detached().empty());
  EXPECT_EQ(first.context.vector.counter_of(first.dot.actor), first.dot.counter);
  EXPECT_EQ(first.context.stamp, stamp + 1);
  const PutDecision second = node.done(intent_of("2", first.context));
  EXPECT_TRUE(second.context.vector.detached().empty());
  EXPECT_EQ(second.context.vector.counter_of(first.dot.actor), second.dot.counter);
}

TEST(PutContext, NamesTheOwnEventAloneBesideAnUnreadOneOfTheSameActor) {
  Coordinator node;
  const Dot unread = node.done(intent_of("unread")).dot;
  const PutDecision blind = node.done(intent_of("blind"));
  ASSERT_EQ(blind.dot.actor, unread.actor);
  EXPECT_TRUE(blind.context.vector.covers(blind.dot));
  EXPECT_FALSE(blind.context.vector.covers(unread));
  EXPECT_EQ(blind.context.stamp, blind.row.record.find(blind.dot)->stamp);
  EXPECT_TRUE(decode_context(encode(blind.context)).has_value());
}

TEST(PutContext, LeavesOutAnUnreadOneOfAnotherActorWithoutADetachedDot) {
  Coordinator node;
  const Dot elsewhere{{{0, 2}, 9, 1}, 2};
  node.row.record.vector.raise(elsewhere, 1);
  node.row.record.siblings.push_back(sibling(elsewhere, "unread"));
  const PutDecision put = node.done(intent_of("v"));
  EXPECT_TRUE(put.context.vector.detached().empty());
  EXPECT_FALSE(put.context.vector.covers(elsewhere));
}

TEST(PutContext, LetsAWriterThatNeverReadsReplaceItsOwnValueOnly) {
  Coordinator node;
  node.done(intent_of("unread"));
  Context context;
  for (int round = 0; round < 20; ++round) {
    const PutDecision put = node.done(intent_of("mine " + std::to_string(round), context));
    ASSERT_EQ(values(put.row.record), (std::set<Bytes>{"unread", "mine " + std::to_string(round)}));
    ASSERT_EQ(put.row.mark, put.dot.actor);
    context = put.context;
  }
  const PutDecision both = node.done(intent_of("all", node.row.record.context("", any_key)));
  EXPECT_EQ(values(both.row.record), std::set<Bytes>{"all"});
}

TEST(PutContext, OfAPutTakesExactlyItsOwnValueAtAnotherNode) {
  Coordinator node;
  node.done(intent_of("unread"));
  const PutDecision blind = node.done(intent_of("blind"));
  for (const bool has_heard : {false, true}) {
    Coordinator peer;
    peer.issuer = DotIssuer({0, 2}, start);
    if (has_heard) peer.row.record = blind.row.record;
    const PutDecision next = peer.done(intent_of("next", blind.context));
    const Record merged = merge_records(node.row.record, next.row.record);
    EXPECT_EQ(values(merged), (std::set<Bytes>{"unread", "next"}));
  }
}

// --- request ids ---

PutIntent numbered(std::uint64_t sequence, Bytes value, const Context& context = {}) {
  PutIntent intent = intent_of(std::move(value), context);
  intent.request = {1, 2, sequence};
  return intent;
}

TEST(PutRequest, RepeatedMakesNoSecondSibling) {
  Coordinator node;
  node.done(intent_of("before"));
  const PutDecision first = node.done(numbered(1, "v"));
  const PutDecision again = node.done(numbered(1, "v"));
  EXPECT_EQ(again.dot, first.dot);
  EXPECT_EQ(again.row.record, first.row.record);
  EXPECT_EQ(again.canonical, first.canonical);
  EXPECT_EQ(again.context, first.context);
  EXPECT_EQ(again.row.mark, first.row.mark);
}

TEST(PutRequest, RepeatedAtAnotherNodeFindsTheValueThatReachedIt) {
  Coordinator node;
  node.done(intent_of("unread"));
  const PutDecision first = node.done(numbered(1, "v"));
  Coordinator peer;
  peer.issuer = DotIssuer({0, 2}, start);
  peer.row.record = first.row.record;
  const PutDecision again = peer.done(numbered(1, "v"));
  EXPECT_EQ(again.dot, first.dot);
  EXPECT_FALSE(again.row.mark) << "this node issued nothing";
  EXPECT_TRUE(again.context.vector.covers(first.dot));
  EXPECT_EQ(again.context.vector.counter_of(first.dot.actor), 0u);
}

TEST(PutRequest, RepeatedAfterALossKeepsNoMarkThatMayNotGoOn) {
  Coordinator node;
  node.done(numbered(1, "v"));
  node.issuer.doubt();
  EXPECT_FALSE(node.done(numbered(1, "v")).row.mark);
}

TEST(PutRequest, RepeatedBesideWhatItsContextCoversLeavesNothingUnread) {
  Coordinator node;
  const Context read = node.done(intent_of("read")).context;
  const Dot first = node.done(numbered(1, "v")).dot;
  const PutDecision again = node.done(numbered(1, "v", read));
  EXPECT_EQ(again.dot, first);
  EXPECT_EQ(again.row.record.siblings.size(), 2u) << "a repeat replaces nothing";
  EXPECT_TRUE(again.context.vector.detached().empty());
}

TEST(PutRequest, UsedForSomethingElseIsInvalid) {
  Coordinator node;
  node.done(numbered(1, "v"));
  EXPECT_EQ(node.put(numbered(1, "other")).status().code(), Code::invalid);
  PutIntent deletion = numbered(1, "v");
  deletion.tombstone = true;
  EXPECT_EQ(node.put(deletion).status().code(), Code::invalid);
  EXPECT_EQ(values(node.row.record), std::set<Bytes>{"v"});
}

TEST(PutRequest, WhoseValueIsGoneIsAppliedBesideWhatReplacedIt) {
  Coordinator node;
  const PutDecision first = node.done(numbered(1, "v"));
  node.done(numbered(2, "newer", first.context));
  EXPECT_EQ(values(node.done(numbered(1, "v")).row.record), (std::set<Bytes>{"newer", "v"}));
}

TEST(PutRequest, AnotherOrNoneIsAnotherPut) {
  Coordinator node;
  node.done(numbered(1, "v"));
  node.done(numbered(2, "v"));
  node.done(intent_of("v"));
  node.done(intent_of("v"));
  EXPECT_EQ(node.row.record.siblings.size(), 4u);
}

TEST(PutRequest, RepeatedDeleteIsFoundByItsTombstone) {
  Coordinator node;
  PutIntent deletion = removal();
  deletion.request = {1, 2, 3};
  deletion.value.clear();
  const Dot first = node.done(deletion).dot;
  EXPECT_EQ(node.done(deletion).dot, first);
  EXPECT_EQ(node.row.record.siblings.size(), 1u);
}

// --- bounds ---

TEST(PutBounds, LiveSiblingsAreBoundedAndTombstonesAreNot) {
  Coordinator node;
  const PutLimits two{2, 1 << 20};
  ASSERT_TRUE(node.put(intent_of("1"), two));
  ASSERT_TRUE(node.put(removal(), two));
  ASSERT_TRUE(node.put(intent_of("2"), two));
  const Row before = node.row;
  EXPECT_EQ(node.put(intent_of("3"), two).status().code(), Code::invalid);
  EXPECT_EQ(node.row.record, before.record);
  EXPECT_TRUE(node.put(removal(), two)) << "a delete always goes through";
  EXPECT_TRUE(node.put(intent_of("3", node.row.record.context("", any_key)), two));
}

TEST(PutBounds, RecordBytesAreBoundedExactly) {
  Coordinator sized;
  const std::size_t bytes = sized.done(intent_of(Bytes(1000, 'x'))).canonical.size();
  Coordinator node;
  const PutLimits exactly{100, bytes};
  EXPECT_EQ(node.put(intent_of(Bytes(1001, 'x')), exactly).status().code(), Code::invalid);
  EXPECT_TRUE(node.put(intent_of(Bytes(1000, 'x')), exactly));
  EXPECT_TRUE(node.put(removal(), exactly)) << "a delete always goes through";
}

TEST(PutBounds, VectorLengthIsBoundedDetachedDotsIncluded) {
  for (const bool detached : {false, true}) {
    Coordinator node;
    Context context;
    for (std::uint64_t i = 0; i + 1 < limits::vector_entries_max; ++i) {
      const Dot dot{{{0, 9}, 9, i}, 1};
      if (detached)
        context.vector.add_detached(dot, 1);
      else
        context.vector.raise(dot, 1);
    }
    ASSERT_TRUE(node.put(intent_of("v", context))) << "with its own entry just as many";
    const Dot one_more{{{0, 9}, 9, limits::vector_entries_max}, 1};
    context = {};
    if (detached)
      context.vector.add_detached(one_more, 1);
    else
      context.vector.raise(one_more, 1);
    EXPECT_EQ(node.put(intent_of("w", context)).status().code(), Code::invalid);
  }
}

TEST(PutBounds, DoNotStopARepeatedRequest) {
  Coordinator node;
  const PutDecision first = node.done(numbered(1, "v"));
  const auto again = node.put(numbered(1, "v"), {0, 1});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->dot, first.dot);
}

TEST(PutBounds, ARefusedPutLeavesNoDotThatIsUsedAgain) {
  Coordinator node;
  const Dot first = node.done(intent_of("1")).dot;
  ASSERT_FALSE(node.put(intent_of("2"), {1, 1 << 20}));
  const Dot third = node.done(intent_of("3")).dot;
  EXPECT_EQ(third.actor, first.actor);
  EXPECT_GT(third.counter, first.counter);
}

// --- expiry ---

std::uint64_t expiry_of(std::uint64_t ttl_us, Timestamp at, bool tombstone = false) {
  PutIntent intent = intent_of("v");
  intent.ttl_us = ttl_us;
  intent.tombstone = tombstone;
  DotIssuer issuer(here, start);
  return decide_put(intent, roomy, at, {}, {}, issuer).value().row.record.siblings[0].expires_us;
}

TEST(PutExpiry, IsAnInstantAfterTheStampAndNeverWraps) {
  EXPECT_EQ(expiry_of(0, stamp), 0u) << "for ever";
  EXPECT_EQ(expiry_of(50, stamp), 1'050u);
  EXPECT_EQ(expiry_of(50, stamp + 7), 1'050u) << "the logical part is no time";
  EXPECT_EQ(expiry_of(50, stamp, /*tombstone=*/true), 0u);
  const std::uint64_t longest = UINT64_MAX - 1'000;
  EXPECT_EQ(expiry_of(longest, stamp), UINT64_MAX);
  EXPECT_EQ(expiry_of(longest + 1, stamp), 0u) << "beyond all time is for ever";
  EXPECT_EQ(expiry_of(UINT64_MAX, stamp), 0u);
}

TEST(LwwRecord, IsOneSiblingOfThisStartWithoutABirth) {
  DotIssuer issuer(here, start);
  const Record first = lww_record(intent_of("v"), stamp, issuer);
  EXPECT_EQ(first.kind, RecordKind::lww);
  EXPECT_TRUE(first.vector.empty());
  ASSERT_EQ(first.siblings.size(), 1u);
  EXPECT_EQ(first.siblings[0].dot.actor, (Actor{here, start, 0}));
  EXPECT_EQ(first.siblings[0].stamp, stamp);
  EXPECT_EQ(first.siblings[0].value, "v");
  EXPECT_NE(lww_record(intent_of("v"), stamp, issuer).siblings[0].dot, first.siblings[0].dot);
  const Record removed = lww_record(removal(), stamp, issuer);
  EXPECT_TRUE(removed.siblings[0].tombstone);
  EXPECT_EQ(removed.siblings[0].value, "");
  EXPECT_EQ(removed.context("", any_key).stamp, stamp);
}

// --- histories ---

// Two nodes that keep the key, and clients that go on from any context that anyone was ever given.
class World {
 public:
  explicit World(Random& random) : random_(random) { nodes_[1].issuer = DotIssuer({0, 2}, start); }

  void step() {
    Coordinator& node = nodes_[random_.below(2)];
    const Coordinator& peer = nodes_[random_.below(2)];
    const std::uint64_t what = random_.below(100);
    if (what < 60)
      put(node);
    else if (what < 80)
      merge_into_row(random_.chance(0.8) ? node.row : node.other, peer.row.record);
    else if (what < 90)
      contexts_.push_back(node.row.record.context("", any_key));
    else if (what < 93)
      node.row = {};
    else if (what < 96)
      node.issuer.doubt();
    else
      node.other = {};
  }

  std::size_t detached() const { return detached_; }

 private:
  void put(Coordinator& node) {
    PutIntent intent = random_.chance(0.2) ? removal() : intent_of("v");
    if (!contexts_.empty() && random_.chance(0.7))
      intent.context = contexts_[random_.below(contexts_.size())];
    if (random_.chance(0.4)) intent.request = {1, 1, 1 + random_.below(5)};
    if (intent.tombstone) intent.value.clear();
    const Record before = merge_records(node.row.record, node.other.record);
    auto decision = node.put(intent, PutLimits{1000, 1 << 20});
    if (!decision) {
      ASSERT_FALSE(intent.request.empty()) << decision.status().to_string();
      return;
    }
    const Record& after = decision->row.record;
    ASSERT_EQ(decode_record(decision->canonical, any_key, after.kind).value(), after);
    const bool repeated = before.find(decision->dot) != nullptr;
    ASSERT_TRUE(repeated || issued_.insert(decision->dot).second) << "one dot for two writes";
    for (const Sibling& each : before.siblings) {
      const bool replaced = !repeated && intent.context.vector.covers(each.dot);
      ASSERT_EQ(after.find(each.dot) == nullptr, replaced) << to_string(each.dot);
    }
    ASSERT_TRUE(after.vector.descends(before.vector));
    ASSERT_TRUE(repeated || after.vector.descends(intent.context.vector));
    check_context_of(intent, *decision);
    contexts_.push_back(decision->context);
  }

  // The writer knows what it knew and its own event, and no value besides.
  void check_context_of(const PutIntent& intent, const PutDecision& decision) {
    const Context& context = decision.context;
    ASSERT_TRUE(context.vector.covers(decision.dot));
    for (const auto& entry : intent.context.vector.entries())
      ASSERT_GE(context.vector.counter_of(entry.actor), entry.counter);
    ASSERT_EQ(decode_context(encode(context)).value(), context);
    for (const Sibling& each : decision.row.record.siblings) {
      const bool known = each.dot == decision.dot || intent.context.vector.covers(each.dot);
      ASSERT_EQ(context.vector.covers(each.dot), known) << to_string(each.dot);
    }
    detached_ += !context.vector.detached().empty();
  }

  Random& random_;
  Coordinator nodes_[2];
  std::vector<Context> contexts_;
  std::set<Dot> issued_;
  std::size_t detached_ = 0;
};

TEST(DecidePut, AClientThatNeverReadsCarriesOneDotHoweverOftenItPuts) {
  DotIssuer issuer({1, 2}, 3);
  const PutLimits bounds{100, 1 << 20};
  Row row;
  Row nothing;
  PutIntent other;
  other.key = "key";
  other.value = "unread";
  other.context = empty_context("ks", "key");
  auto decision = decide_put(other, bounds, 10, row, nothing, issuer);
  ASSERT_TRUE(decision.has_value());
  Context context = empty_context("ks", "key");
  for (Timestamp at = 11; at < 2011; ++at) {
    PutIntent intent;
    intent.key = "key";
    intent.value = "mine " + std::to_string(at);
    intent.context = context;
    decision = decide_put(intent, bounds, at, decision->row, nothing, issuer);
    ASSERT_TRUE(decision.has_value()) << decision.error().to_string();
    context = decision->context;
    ASSERT_EQ(context.vector.detached().size(), 1U);
    ASSERT_EQ(decision->row.record.siblings.size(), 2U);  // the unread one and the latest
  }
}

TEST(DecidePut, NeverReplacesWhatTheClientHasNotSeen) {
  std::size_t detached = 0;
  for (const std::uint64_t seed : test::seeds(500)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "put decision");
    World world(random);
    for (int step = 0; step < 50; ++step) ASSERT_NO_FATAL_FAILURE(world.step());
    detached += world.detached();
  }
  EXPECT_GT(detached, 1000u);
}

}  // namespace
}  // namespace ringwright
