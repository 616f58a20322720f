#include <gtest/gtest.h>

#include <map>
#include <set>

#include "replication/version/merge.h"
#include "tests/unit/replication/shard/replica_store_by_hand.h"
#include "tests/unit/replication/version/random_record.h"

namespace ringwright {
namespace {

using test::StoreByHand;
using test::StoreSetup;
using Event = ReplicaStore::Event::Kind;
using Work = EngineWork::Kind;

// One store under everything at once. Every value is written once and nobody ever read it, so that
// whatever was acknowledged must be in a row at the end: two writes of a key that overlap lose one.
class World {
 public:
  World(Random& random, const StoreSetup& setup) : random_(random), node_(setup) {}

  void step() {
    const std::uint64_t what = random_.below(100);
    if (what < 15)
      put();
    else if (what < 30)
      merge();
    else if (what < 35)
      remove();
    else if (what < 40)
      node_.store.read(accept({}), any_key());
    else if (what < 43 && next_token_ > 0)
      node_.store.call_off(random_.below(next_token_));
    else if (what < 46)
      scan_for_fallbacks();
    else if (what < 70)
      collect();
    else
      complete_one(random_.chance(0.12));
    hear();
  }

  void settle() {
    for (collect(); !reads_.empty() || !writes_.empty() || !syncs_.empty(); collect()) {
      complete_one(false);
      hear();
    }
  }

  void check() {
    std::set<Bytes> there = delivered_;
    for (const auto& [stored, bytes] : node_.engine.rows) {
      const Row row = decode_row(bytes, user_key(stored), RecordKind::siblings);
      ASSERT_FALSE(row.is_damaged());
      for (const Sibling& sibling : row.record.siblings) there.insert(sibling.value);
    }
    for (const auto& [token, asked] : asked_) {
      ASSERT_TRUE(asked.ended) << "nothing was heard of " << token;
      const bool found = there.count(asked.value) != 0;
      ASSERT_TRUE(found || !asked.must_be_there) << asked.value << " is lost";
      ASSERT_FALSE(found && asked.must_not) << asked.value << " is there";
    }
  }

  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t removed() const { return delivered_.size(); }

 private:
  struct Asked {
    Bytes value;
    bool applied = false;
    bool ended = false;
    bool must_be_there = false;
    bool must_not = false;
  };

  std::uint64_t accept(Bytes value) {
    asked_[next_token_].value = std::move(value);
    return next_token_++;
  }
  Bytes any_key() { return random_.chance(0.7) ? "k" : "l"; }
  RowKind any_row() { return random_.chance(0.6) ? RowKind::data : RowKind::fallback; }
  Bytes new_value() { return "v" + std::to_string(next_token_); }

  void put() {
    const Bytes value = new_value();
    const std::uint64_t token = accept(value);
    PutIntent intent;
    intent.key = any_key();
    intent.value = value;
    node_.store.put(token, any_row(), std::move(intent), node_.moment);
  }

  void merge() {
    const Bytes value = new_value();
    const std::uint64_t token = accept(value);
    const Bytes key = any_key();
    const Bytes record = encode_record(test::peer_record(token + 1, value), key);
    node_.store.merge(token, any_row(), key, record, random_.chance(0.1), node_.moment);
  }

  // What somebody else stored of the fallback row before it may go.
  void remove() {
    const Bytes key = any_key();
    const Row row = node_.row(key, RowKind::fallback);
    if (row.record.empty()) return;
    for (const Sibling& sibling : row.record.siblings) delivered_.insert(sibling.value);
    node_.store.remove_delivered(accept({}), key, encode_record(row.record, key), node_.moment);
  }

  void scan_for_fallbacks() {
    if (scanned_at_) node_.store.no_fallback_rows(*scanned_at_);
    scanned_at_.reset();
    const auto& rows = node_.engine.rows;
    const auto first = rows.lower_bound(storage_key_start(RowKind::fallback));
    if (first == rows.end()) scanned_at_ = node_.store.fallback_writes();
  }

  void collect() {
    std::vector<EngineWork> work;
    node_.store.take_work(next_ticket_, work);
    for (EngineWork& each : work) {
      if (each.kind == Work::write)
        writes_.push_back(std::move(each));
      else if (each.kind == Work::sync)
        syncs_.push_back(std::move(each));
      else
        reads_.push_back(std::move(each));
    }
    ASSERT_LE(syncs_.size(), 1u);
  }

  // Writes in their order, syncs and reads in any.
  void complete_one(bool failing) {
    const std::uint64_t what = random_.below(3);
    if (what == 0 && !syncs_.empty()) {
      node_.store.complete(node_.engine.perform(syncs_.front()), node_.moment);
      syncs_.clear();
    } else if (what == 1 && !reads_.empty()) {
      const auto at = reads_.begin() + static_cast<std::ptrdiff_t>(random_.below(reads_.size()));
      const EngineWork work = std::move(*at);
      reads_.erase(at);
      node_.store.complete(
          failing ? test::EngineByHand::fail(work, test::io_error) : node_.engine.perform(work),
          node_.moment);
    } else if (what == 2 && !writes_.empty()) {
      const EngineWork work = std::move(writes_.front());
      writes_.pop_front();
      const bool in_doubt = failing && random_.chance(0.5);
      if (in_doubt && random_.chance(0.5)) node_.engine.perform(work);
      node_.store.complete(
          !failing ? node_.engine.perform(work)
                   : test::EngineByHand::fail(work, in_doubt ? test::doubt : test::busy),
          node_.moment);
    }
  }

  void hear() {
    for (const auto& event : node_.take_events()) {
      Asked& asked = asked_.at(event.token);
      ASSERT_FALSE(asked.ended) << "an event after the last of " << event.token;
      const bool certain = event.status.code() != Code::in_doubt;
      asked.ended = event.kind != Event::put_applied;
      switch (event.kind) {
        case Event::put_applied:
          ASSERT_TRUE(dots_.insert(event.dot).second) << "one dot for two writes";
          asked.applied = asked.must_be_there = true;
          break;
        case Event::durable:
          asked.must_be_there = true;
          break;
        case Event::put_refused:
          asked.must_not = true;
          break;
        case Event::merge_failed:
          asked.must_not = certain;
          break;
        default:
          break;
      }
      ASSERT_FALSE(asked.applied && asked.must_not);
      acknowledged_ += event.kind == Event::durable;
    }
  }

  Random& random_;
  StoreByHand node_;
  Ticket next_ticket_ = 1;
  std::uint64_t next_token_ = 0;
  std::map<std::uint64_t, Asked> asked_;
  std::set<Bytes> delivered_;
  std::set<Dot> dots_;
  std::vector<EngineWork> reads_;
  std::deque<EngineWork> writes_;
  std::vector<EngineWork> syncs_;
  std::optional<std::uint64_t> scanned_at_;
  std::size_t acknowledged_ = 0;
};

TEST(ReplicaStoreHistory, LosesNothingAndEndsEverythingOnce) {
  std::size_t acknowledged = 0;
  std::size_t removed = 0;
  for (const std::uint64_t seed : test::seeds(600)) {
    SCOPED_TRACE(test::seed_line(seed));
    SeededRandom random(seed, "replica store");
    const StoreSetup setup{.native_merge = random.chance(0.5),
                           .durability = random.chance(0.5) ? Durability::disk : Durability::os,
                           .siblings_max = 10'000};
    World world(random, setup);
    for (int step = 0; step < 150; ++step) ASSERT_NO_FATAL_FAILURE(world.step());
    ASSERT_NO_FATAL_FAILURE(world.settle());
    ASSERT_NO_FATAL_FAILURE(world.check());
    acknowledged += world.acknowledged();
    removed += world.removed();
  }
  EXPECT_GT(acknowledged, 5'000u);
  EXPECT_GT(removed, 500u);
}

}  // namespace
}  // namespace ringwright
