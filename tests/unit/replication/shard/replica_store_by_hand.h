#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "replication/version/storage_key.h"
#include "tests/unit/replication/shard/engine_by_hand.h"

namespace ringwright::test {

class FixedKindResolver final : public ConflictResolver {
 public:
  explicit FixedKindResolver(RecordKind record_kind) : record_kind_(record_kind) {}
  std::string_view name() const override { return "fixed_kind"; }
  RecordKind record_kind() const override { return record_kind_; }
  std::vector<ShownSibling> resolve(ByteView, std::vector<ShownSibling> shown) const override {
    return shown;
  }

 private:
  RecordKind record_kind_;
};

struct StoreSetup {
  RecordKind kind = RecordKind::siblings;
  bool native_merge = true;
  bool folds_at_once = false;
  Durability durability = Durability::os;
  std::size_t siblings_max = 100;
};

inline Capabilities capabilities_of(const StoreSetup& setup) {
  Capabilities capabilities;
  capabilities.merge = setup.native_merge;
  capabilities.folds_at_once = setup.folds_at_once;
  return capabilities;
}

inline std::shared_ptr<const Keyspace> keyspace_of(const StoreSetup& setup) {
  auto keyspace = std::make_shared<Keyspace>();
  keyspace->name = "test";
  keyspace->durability = setup.durability;
  keyspace->siblings_max = setup.siblings_max;
  keyspace->resolver = std::make_shared<FixedKindResolver>(setup.kind);
  return keyspace;
}

// A store whose engine's work a test takes, ends and fails piece by piece.
class StoreByHand {
 public:
  using Event = ReplicaStore::Event;
  using Kinds = std::vector<Event::Kind>;

  explicit StoreByHand(StoreSetup setup = {})
      : kind(setup.kind),
        engine(setup.kind),
        store(0, keyspace_of(setup), capabilities_of(setup), issuer, clock, counters) {
    clock.set_bound(timestamp_max);
  }

  // --- what is asked ---

  void put(std::uint64_t token, Bytes key, Bytes value, Context context = {},
           RowKind row = RowKind::data) {
    PutIntent intent;
    intent.key = std::move(key);
    intent.value = std::move(value);
    intent.context = std::move(context);
    store.put(token, row, std::move(intent), moment);
    hear();
  }
  void merge(std::uint64_t token, const Bytes& key, const Record& record,
             RowKind row = RowKind::data, bool heal = false) {
    store.merge(token, row, key, encode_record(record, key), heal, moment);
    hear();
  }
  void remove(std::uint64_t token, const Bytes& key, const Record& delivered) {
    store.remove_delivered(token, key, encode_record(delivered, key), moment);
    hear();
  }

  // --- the engine ---

  std::deque<EngineWork>& wake_up() {
    std::vector<EngineWork> taken;
    store.take_work(next_ticket_, taken);
    std::move(taken.begin(), taken.end(), std::back_inserter(work_));
    return work_;
  }
  std::size_t pending(EngineWork::Kind wanted) {
    return static_cast<std::size_t>(
        std::count_if(wake_up().begin(), wake_up().end(),
                      [wanted](const EngineWork& each) { return each.kind == wanted; }));
  }
  // The first piece of that kind; the test fails when there is none.
  EngineWork take(EngineWork::Kind wanted) {
    wake_up();
    const auto at = std::find_if(work_.begin(), work_.end(),
                                 [wanted](const EngineWork& each) { return each.kind == wanted; });
    if (at == work_.end()) {
      ADD_FAILURE() << "nothing of that kind was asked";
      return {};
    }
    EngineWork taken = std::move(*at);
    work_.erase(at);
    return taken;
  }
  void end(const EngineWork& work) { complete(engine.perform(work)); }
  void fail(const EngineWork& work, const Status& status) {
    complete(EngineByHand::fail(work, status));
  }
  void end_read() { end(take(EngineWork::Kind::read)); }
  void end_write() { end(take(EngineWork::Kind::write)); }
  void settle() {
    while (!wake_up().empty()) {
      const EngineWork next = std::move(work_.front());
      work_.pop_front();
      end(next);
    }
  }

  // --- what came of it ---

  std::vector<Event> take_events() {
    std::vector<Event> taken;
    store.take_events(taken);
    return taken;
  }

  Kinds heard(std::uint64_t token) const {
    Kinds kinds;
    for (const Event& event : events)
      if (event.token == token) kinds.push_back(event.kind);
    return kinds;
  }
  const Event& last(std::uint64_t token) const {
    const auto at = std::find_if(events.rbegin(), events.rend(),
                                 [token](const Event& event) { return event.token == token; });
    RW_CHECK(at != events.rend());
    return *at;
  }
  const Event& applied(std::uint64_t token) const {
    const auto at = std::find_if(events.begin(), events.end(), [token](const Event& event) {
      return event.token == token && event.kind == Event::Kind::put_applied;
    });
    RW_CHECK(at != events.end());
    return *at;
  }
  Row row(const Bytes& key, RowKind row_kind = RowKind::data) const {
    const auto at = engine.rows.find(storage_key(row_kind, key));
    return at == engine.rows.end() ? Row{{}, {}, {kind, {}, {}}}
                                   : decode_row(at->second, key, kind);
  }
  std::vector<Bytes> values(const Bytes& key, RowKind row_kind = RowKind::data) const {
    std::vector<Bytes> all;
    for (const Sibling& sibling : row(key, row_kind).record.siblings) all.push_back(sibling.value);
    std::sort(all.begin(), all.end());
    return all;
  }

  RecordKind kind;
  Moment moment{0, 1'000'000};
  DotIssuer issuer{NodeId{0, 1}, 0xabc};
  HybridClock clock;
  Counters counters;
  EngineByHand engine;
  ReplicaStore store;
  std::vector<Event> events;

 private:
  void complete(EngineCompletion completion) {
    store.complete(std::move(completion), moment);
    hear();
  }
  void hear() {
    for (Event& event : take_events()) events.push_back(std::move(event));
  }

  Ticket next_ticket_ = 1;
  std::deque<EngineWork> work_;
};

// What a peer's node 7 wrote as its `counter`th event.
inline Record peer_record(std::uint64_t counter, Bytes value) {
  const Dot dot{{{0, 7}, counter, 1}, 1};
  Record record;
  record.vector.raise(dot, 5);
  record.siblings.emplace_back();
  record.siblings[0].dot = dot;
  record.siblings[0].stamp = 5;
  record.siblings[0].value = std::move(value);
  return record;
}

}  // namespace ringwright::test
