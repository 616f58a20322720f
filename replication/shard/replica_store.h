#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/hash_index.h"
#include "engine/base/telemetry.h"
#include "replication/coordinator/put_decision.h"
#include "replication/shard/engine_port.h"
#include "replication/shard/keyspace.h"
#include "replication/shard/moment.h"
#include "replication/shard/slot_table.h"
#include "replication/shard/write_counts.h"

namespace ringwright {

// One shard's copies in one engine, and the order of each key's writes.
//
// A key's writes form a line. Its members are of two sorts:
//   blind      a peer's record merged without a read; several may be at the engine at once
//   exclusive  read, decide, write (an own put, a merge where the engine cannot, a removal)
// An exclusive one starts when every write before it has taken effect, or, when those are all in
// the batch that is still being filled, from the rows that they will leave: one batch, one fate.
// What comes after it waits until its own write is in a batch.
//
// Invariants
// 1. Between the read and the write of an exclusive member no other write of its key is issued.
// 2. Writes of a key reach the engine in the order of its line.
// 3. A read that failed is never taken for absence.
// 4. Every member that was accepted ends in exactly one last event.
class ReplicaStore {
 public:
  ReplicaStore(EngineIndex engine, std::shared_ptr<const Keyspace> keyspace,
               const Capabilities& capabilities, DotIssuer& issuer, HybridClock& clock,
               Counters& counters);

  // What became of something asked, by the caller's token.
  struct Event {
    enum class Kind : std::uint8_t {
      read,          // status, record (canonical; empty: absent). Last.
      put_refused,   // certainly nothing happened. Last.
      put_doubtful,  // it may have happened. Last.
      put_applied,   // visible: send `record` to the others; `durable` follows
      durable,  // of a put or merge: stored in the keyspace's class, or status says why not. Last.
      merge_failed,  // of a peer's write: not stored for certain, or in doubt. Last.
      removed,       // of a removal: done, or left alone because the row had changed. Last.
      scanned,       // Last.
    };
    Kind kind = Kind::read;
    std::uint64_t token = 0;
    Status status;
    Bytes record;
    Context context;                            // put_applied: for the client
    Dot dot;                                    // put_applied
    std::vector<std::pair<Bytes, Bytes>> rows;  // scanned
  };

  void read(std::uint64_t token, Bytes key);
  // An own put; `row` is data for a primary, fallback for a stand-in.
  void put(std::uint64_t token, RowKind row, PutIntent intent, Moment moment);
  // A peer's canonical record. `heal` also replaces bytes that cannot be decoded.
  void merge(std::uint64_t token, RowKind row, Bytes key, Bytes record, bool heal, Moment moment);
  // Removes the fallback row if it still holds exactly `delivered`.
  void remove_delivered(std::uint64_t token, Bytes key, Bytes delivered, Moment moment);
  void scan(std::uint64_t token, KeyRange range, std::size_t limit);

  // Calls off a put whose turn has not come. False when its write is already on its way.
  bool call_off(std::uint64_t token);

  bool knows(Ticket ticket) const { return port_.knows(ticket); }
  void complete(EngineCompletion completion, Moment moment);
  bool has_events() const { return !events_.empty(); }
  // What `events` held is dropped and its room used again.
  void take_events(std::vector<Event>& events);
  void take_work(Ticket& next_ticket, std::vector<EngineWork>& work);

  // Grows whenever a write of a fallback row is issued and again when it shows: whoever scanned
  // them all and found none says at which count that was, and until the next reads skip that row.
  std::uint64_t fallback_writes() const { return fallback_writes_; }
  void no_fallback_rows(std::uint64_t at_count);
  bool may_hold_fallback_rows() const { return may_hold_fallback_rows_; }

 private:
  enum class Kind : std::uint8_t { read, put, merge, remove, fold, scan };
  using TaskId = std::uint64_t;
  using LineId = std::uint64_t;
  struct Task {
    Kind kind = Kind::read;
    RowKind row = RowKind::data;
    bool blind = false;
    bool heal = false;
    bool issued = false;  // its write is in a batch
    bool called_off = false;
    std::uint64_t token = 0;
    LineId line = 0;   // of a write
    TaskId next = 0;   // behind it in its line
    Bytes key;         // read; that of a write stands in its line
    PutIntent intent;  // put
    Bytes record;      // merge, remove: canonical
    Context context;   // put: for the event when it is applied
    Dot dot;
  };
  struct Rows {
    Row data;
    Row fallback;
  };
  struct Line {
    Bytes key;
    Token token = 0;
    TaskId first = 0;  // of those that wait
    TaskId last = 0;
    std::uint32_t waiting = 0;
    std::uint32_t at_engine = 0;  // issued writes that have not completed
    TaskId reading = 0;           // the exclusive member between its read and its write
    // What the key's rows will be once the batch being filled is applied.
    std::optional<Rows> chained;
    std::uint64_t chained_in_batch = 0;
  };
  using Stored = std::span<Result<std::optional<Bytes>>>;

  Line& line_of(const Task& task) { return lines_.at(task.line); }
  LineId line_for(Bytes key);
  void end_line_if_idle(LineId id);
  std::pair<TaskId, Task&> add_task(Kind kind, std::uint64_t token);
  void enqueue(TaskId id, Bytes key, Moment moment);
  void append(Line& line, TaskId id);
  TaskId take_first(Line& line);
  void advance(LineId id, Moment moment);
  void read_rows(TaskId id, Token token, const Bytes& key);
  void start_reading(TaskId id, Line& line);
  PutLimits put_limits() const;
  // What a put of kind `lww` stores everywhere, noted in its task.
  Record write_lww(Task& task, Timestamp stamp);
  void issue_blind(TaskId id, Line& line, Moment moment);
  void rows_arrived(TaskId id, const Status& status, Stored stored, Moment moment);
  Result<Row> usable_row(const Task& task, RowKind kind, const Status& status, const Stored& stored,
                         std::size_t at);
  void decide(TaskId id, Line& line, Rows&& rows, Moment moment);
  void decide_put_write(TaskId id, Line& line, Rows&& rows, Moment moment);
  bool put_undecoded(TaskId id, Line& line, const Status& status, const Stored& stored,
                     Moment moment);
  void issue_put(TaskId id, Line& line, Rows&& rows, PutDecision&& decision);
  void decide_merge(TaskId id, Line& line, Rows&& rows);
  void decide_removal(TaskId id, Line& line, Rows&& rows);
  void decide_fold(TaskId id, Line& line, Rows&& rows);
  void issue_row(TaskId id, Line& line, Rows&& rows, Bytes encoded);
  void applied(TaskId id, const Status& status, Moment moment);
  void end_put(const Task& task);
  void finish_read(const Task& task, const Status& status, Stored stored);
  Result<Bytes> canonical_answer(const Task& task, const Status& status, Stored stored);
  void fail(TaskId id, Status status);
  void note_fallback_write();
  void note_blind_write(const Task& task, Line& line);
  void emit(Event::Kind kind, std::uint64_t token, Status status = {});

  std::shared_ptr<const Keyspace> keyspace_;
  RecordKind kind_;
  bool native_merge_;
  bool operands_gather_;
  DotIssuer& issuer_;
  HybridClock& clock_;
  Counters& counters_;
  EnginePort port_;
  SlotTable<Task> tasks_;
  SlotTable<Line> lines_;
  HashIndex<LineId> lines_by_key_;  // by the key's token
  HashIndex<TaskId> puts_;          // by the caller's token
  WriteCounts blind_writes_;        // since the key's last fold
  std::vector<Event> events_;
  std::uint64_t fallback_writes_ = 0;
  bool may_hold_fallback_rows_ = true;
};

}  // namespace ringwright
