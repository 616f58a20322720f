#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "replication/shard/engine_work.h"

namespace ringwright {

// Gathers what one shard asks of one engine during a wake-up into one read, one write and one sync,
// and tells apart who asked when they complete.
//
// Invariants
// 1. Writes leave in the order in which they were added; a batch is atomic, so all of its writers
//    share one fate.
// 2. At most one sync is in flight; whatever was applied before it began is durable when it ends.
class EnginePort {
 public:
  using Asker = std::uint64_t;

  explicit EnginePort(EngineIndex engine, bool must_sync)
      : engine_(engine), must_sync_(must_sync) {}

  void read(Asker asker, Bytes key);
  void read(Asker asker, Bytes first, Bytes second);
  void put(Asker asker, Bytes key, Bytes row);
  void merge(Asker asker, Bytes key, Bytes operand);
  void remove(Asker asker, Bytes key);
  void scan(Asker asker, KeyRange range, std::size_t limit);

  // The number of the write batch that is being filled; it grows when the batch leaves.
  std::uint64_t open_batch() const { return open_batch_; }

  void take_work(Ticket& next_ticket, std::vector<EngineWork>& work);

  struct Event {
    enum class Kind : std::uint8_t { rows, applied, durable, scanned };
    Kind kind;
    Asker asker;
    Status status;
    std::span<Result<std::optional<Bytes>>> rows;
    std::vector<std::pair<Bytes, Bytes>> scanned;
  };
  bool knows(Ticket ticket) const { return in_flight_.contains(ticket); }
  // What a completion means for those who asked. Valid until the next one.
  std::span<Event> complete(EngineCompletion completion);

 private:
  struct ReadAsked {
    Asker asker;
    std::size_t keys;
  };
  struct InFlight {
    EngineWork::Kind kind;
    std::vector<ReadAsked> readers;
    std::vector<Asker> writers;
  };

  void rows_arrived(const InFlight& asked);
  void batch_ended(const InFlight& asked);

  EngineIndex engine_;
  bool must_sync_;
  std::vector<Bytes> keys_;
  std::vector<ReadAsked> readers_;
  WriteBatch batch_;
  std::vector<Asker> writers_;
  std::vector<EngineWork> scans_;
  std::vector<Asker> scanners_;
  std::uint64_t open_batch_ = 1;
  std::map<Ticket, InFlight> in_flight_;
  std::vector<Asker> to_sync_;  // applied, waiting for the next sync to begin
  std::vector<Asker> syncing_;  // covered by the sync in flight
  std::uint64_t sync_through_ = 0;
  bool sync_in_flight_ = false;
  EngineCompletion completion_;  // the last one
  std::vector<Event> events_;    // what it means
};

}  // namespace ringwright
