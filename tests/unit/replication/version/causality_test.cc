#include <gtest/gtest.h>

#include <map>
#include <set>

#include "replication/version/merge.h"
#include "replication/version/row.h"
#include "replication/version/storage_key.h"
#include "replication/version/update.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using test::any_key;

// The replicas of one key under the rules of causality (a put reads, discards, issues and applies;
// a mark says who may go on), each beside a twin that knows no vectors: it holds the set of all
// writes that it was told of, and those of them that nobody has replaced.
struct Twin {
  std::set<Dot> seen;
  std::map<Dot, Bytes> live;

  void merge(const Twin& other) {
    for (auto it = live.begin(); it != live.end();)
      it = other.seen.count(it->first) != 0 && other.live.count(it->first) == 0 ? live.erase(it)
                                                                                : std::next(it);
    for (const auto& [dot, value] : other.live)
      if (seen.count(dot) == 0) live[dot] = value;
    seen.insert(other.seen.begin(), other.seen.end());
  }
};

struct Copy {
  std::optional<Bytes> row;
  Twin twin;
};

class World {
 public:
  explicit World(Random& random) : random_(random) {
    for (std::uint64_t i = 0; i < nodes; ++i) {
      copies_.emplace_back();
      issuers_.emplace_back(NodeId{0, i}, random_.next());
      own_past_.emplace_back();
    }
  }

  void step() {
    const std::size_t node = random_.below(nodes);
    const std::uint64_t what = random_.below(100);
    if (what < 35)
      put(node);
    else if (what < 50)
      send(node);
    else if (what < 75)
      deliver(node);
    else if (what < 80)
      lose(node);
    else if (what < 84)
      restart(node);
    else if (what < 88)
      put_in_doubt(node);
    else if (what < 92)
      forget_own_writes_then_hear_of_one(node);
    else if (what < 96)
      forget_own_writes_then_serve_who_knows_one(node);
    else
      damage(node);
    for (std::size_t i = 0; i < nodes; ++i) check(i);
  }

  // Everything reaches everybody.
  void converge() {
    for (int round = 0; round < 2; ++round)
      for (std::size_t from = 0; from < nodes; ++from)
        for (std::size_t to = 0; to < nodes; ++to)
          if (from != to) {
            const Row sent = row_of(from);
            merge_into(to, {encode_operand(encode_record(sent.record, any_key))},
                       copies_[from].twin);
          }
    for (std::size_t i = 0; i < nodes; ++i) {
      check(i);
      ASSERT_EQ(row_of(i).record, row_of(0).record);
    }
  }

  std::size_t births() const { return births_; }
  std::size_t puts() const { return issued_.size(); }
  std::size_t detached() const { return detached_; }

 private:
  static constexpr std::size_t nodes = 3;

  struct Sent {
    Bytes operand;
    Twin twin;
  };

  Row row_of(std::size_t node) const {
    return copies_[node].row ? decode_row(*copies_[node].row, any_key, RecordKind::siblings)
                             : Row{};
  }

  void put(std::size_t node) {
    Context context;
    Twin known;
    if (!reads_.empty() && random_.chance(0.7)) {
      const auto& read = reads_[random_.below(reads_.size())];
      context.vector = read.first;
      known = read.second;
    }
    put(node, context, known, /*applied=*/true);
  }

  void put(std::size_t node, const Context& context, Twin known, bool applied) {
    DotIssuer& issuer = issuers_[node];
    if (!issuer.check(context.vector).is_ok()) return;
    Row row = row_of(node);
    if (!issuer.may_go_on(row.mark, row.record.vector, context.vector)) {
      row.mark = issuer.new_birth();
      ++births_;
    }
    Sibling written;
    written.dot = issuer.issue(*row.mark);
    written.stamp = ++stamp_;
    written.value = to_string(written.dot);
    ASSERT_TRUE(issued_.insert(written.dot).second) << "one dot for two writes";
    if (!applied) return;
    own_past_[node].push_back(copies_[node]);
    Twin& twin = copies_[node].twin;
    for (const Dot& dot : known.seen) twin.live.erase(dot);
    twin.seen.insert(known.seen.begin(), known.seen.end());
    twin.seen.insert(written.dot);
    twin.live[written.dot] = written.value;
    row.record = apply_update(std::move(row.record), context, written);
    copies_[node].row = encode_row(row, any_key);
    if (random_.chance(0.7)) send(node);
    if (random_.chance(0.5)) reads_.emplace_back(row_of(node).record.vector, copies_[node].twin);
    if (random_.chance(0.5)) go_on_from_own_write(node, context.vector, std::move(known), written);
  }

  // What the writer knows without reading: what it knew, and its write. Of those of the same actor
  // before it as much as is replaced already, but no value that it has not read.
  void go_on_from_own_write(std::size_t node, VersionVector vector, Twin known,
                            const Sibling& written) {
    const Twin& own = copies_[node].twin;
    std::set<Dot> replaced;
    bool unread = false;
    for (const Dot& dot : own.seen) {
      if (dot.actor != written.dot.actor || !(dot < written.dot) || known.seen.count(dot) != 0)
        continue;
      unread |= own.live.count(dot) != 0;
      replaced.insert(dot);
    }
    known.seen.insert(written.dot);
    if (unread || random_.chance(0.3)) {
      vector.add_detached(written.dot, written.stamp);
      ++detached_;
    } else {
      vector.raise(written.dot, written.stamp);
      known.seen.insert(replaced.begin(), replaced.end());
    }
    for (const Dot& dot : issued_) ASSERT_EQ(vector.covers(dot), known.seen.count(dot) != 0);
    reads_.emplace_back(vector, known);
  }

  void send(std::size_t node) {
    const Row row = row_of(node);
    sent_.push_back({encode_operand(encode_record(row.record, any_key)), copies_[node].twin});
    if (random_.chance(0.5)) reads_.emplace_back(row.record.vector, copies_[node].twin);
  }

  // Late, twice, out of order, several at once, joined or not.
  void deliver(std::size_t node) {
    std::vector<Bytes> operands;
    Twin twin;
    for (std::uint64_t i = random_.below(4); i > 0 && !sent_.empty(); --i) {
      const Sent& sent = sent_[random_.below(sent_.size())];
      operands.push_back(sent.operand);
      twin.merge(sent.twin);
    }
    merge_into(node, operands, twin);
  }

  void merge_into(std::size_t node, const std::vector<Bytes>& operands, const Twin& twin) {
    if (operands.empty()) return;
    const RowPolicy policy(RecordKind::siblings);
    const Bytes stored_key = storage_key(RowKind::data, any_key);
    std::vector<ByteView> views(operands.begin(), operands.end());
    Bytes joined;
    if (random_.chance(0.5)) {
      joined = policy.join(stored_key, views);
      views = {joined};
    }
    auto& copy = copies_[node];
    copy.row = policy.merge(stored_key,
                            copy.row ? std::optional<ByteView>(*copy.row) : std::nullopt, views);
    copy.twin.merge(twin);
    own_past_[node].clear();
  }

  // The row is gone: lost, reaped or handed off.
  void lose(std::size_t node) {
    copies_[node] = {};
    own_past_[node].clear();
  }

  // With the row as it was, or an old one from a copy of the files, mark included.
  void restart(std::size_t node) {
    issuers_[node] = DotIssuer({0, node}, random_.next());
    auto& past = own_past_[node];
    if (!past.empty() && random_.chance(0.5)) copies_[node] = past[random_.below(past.size())];
    past.clear();
  }

  // Seen by others or not, the write may turn out not to have happened here.
  void put_in_doubt(std::size_t node) {
    const Copy before = copies_[node];
    put(node, {}, {}, random_.chance(0.7));
    issuers_[node].doubt();
    if (random_.chance(0.5)) copies_[node] = before;
    own_past_[node].clear();
  }

  // An engine that silently loses writes of this start: once a peer, or a client, is ahead for the
  // marked actor, no dot may be issued under it.
  bool forget_own_writes(std::size_t node, Copy& before) {
    auto& past = own_past_[node];
    if (past.empty()) return false;
    before = copies_[node];
    const Copy older = past[random_.below(past.size())];
    if (!older.row || !row_of_bytes(*older.row).mark) return false;
    copies_[node] = older;
    return true;
  }
  static Row row_of_bytes(const Bytes& bytes) {
    return decode_row(bytes, any_key, RecordKind::siblings);
  }

  void forget_own_writes_then_hear_of_one(std::size_t node) {
    Copy before;
    if (!forget_own_writes(node, before)) return;
    const Row row = row_of(node);
    const std::uint64_t own = row.record.vector.counter_of(*row.mark);
    for (const Sent& sent : sent_)
      if (row_of_bytes(sent.operand).record.vector.highest_of(*row.mark) > own) {
        merge_into(node, {sent.operand}, sent.twin);
        return put(node, {}, {}, true);
      }
    copies_[node] = before;
  }

  void forget_own_writes_then_serve_who_knows_one(std::size_t node) {
    Copy before;
    if (!forget_own_writes(node, before)) return;
    const Row row = row_of(node);
    const std::uint64_t own = row.record.vector.counter_of(*row.mark);
    for (const auto& [vector, twin] : reads_)
      if (vector.highest_of(*row.mark) > own) {
        Context context;
        context.vector = vector;
        own_past_[node].clear();
        return put(node, context, twin, true);
      }
    copies_[node] = before;
  }

  // Bytes change under the record; what is left is healed away, as after a merge from all others.
  void damage(std::size_t node) {
    auto& copy = copies_[node];
    if (!copy.row) return;
    char& byte = (*copy.row)[random_.below(copy.row->size())];
    byte = static_cast<char>(byte ^ (1 << random_.below(8)));
    Row row = row_of(node);
    ASSERT_TRUE(row.is_damaged());
    ASSERT_FALSE(row.mark);
    row.damaged.clear();
    copy = {encode_row(row, any_key), {}};
    own_past_[node].clear();
  }

  void check(std::size_t node) {
    const Row row = row_of(node);
    const Twin& twin = copies_[node].twin;
    std::map<Dot, Bytes> live;
    for (const Sibling& sibling : row.record.siblings) live[sibling.dot] = sibling.value;
    ASSERT_EQ(live, twin.live) << "a write was lost or came back at node " << node;
    for (const Dot& dot : issued_) {
      ASSERT_EQ(row.record.vector.covers(dot), twin.seen.count(dot) != 0)
          << to_string(dot) << " at node " << node;
    }
  }

  Random& random_;
  std::vector<Copy> copies_;
  std::vector<DotIssuer> issuers_;
  std::vector<std::vector<Copy>> own_past_;  // since the row was last touched by another
  std::vector<Sent> sent_;
  std::vector<std::pair<VersionVector, Twin>> reads_;
  std::set<Dot> issued_;
  Timestamp stamp_ = 0;
  std::size_t births_ = 0;
  std::size_t detached_ = 0;
};

TEST(Causality, ReplicasEqualTheirTwins) {
  std::size_t births = 0;
  std::size_t puts = 0;
  std::size_t detached = 0;
  for (const std::uint64_t seed : test::seeds(400)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "causality");
    World world(random);
    for (int step = 0; step < 60; ++step) {
      ASSERT_NO_FATAL_FAILURE(world.step());
    }
    ASSERT_NO_FATAL_FAILURE(world.converge());
    births += world.births();
    puts += world.puts();
    detached += world.detached();
  }
  EXPECT_GT(detached, 500u);
  EXPECT_GT(puts, 2 * births) << "hardly any put went on under a mark";
}

}  // namespace
}  // namespace ringwright
