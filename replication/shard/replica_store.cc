#include "replication/shard/replica_store.h"

#include <algorithm>
#include <utility>

#include "engine/base/seeded_bug.h"
#include "replication/version/merge.h"

namespace ringwright {
namespace {

// After these the engine certainly has nothing of the batch; after any other error it may.
bool certainly_not_applied(Code code) {
  switch (code) {
    case Code::busy:
    case Code::no_space:
    case Code::would_block:
    case Code::overloaded:
    case Code::closed:
    case Code::invalid:
      return true;
    default:
      return false;
  }
}

}  // namespace

ReplicaStore::ReplicaStore(EngineIndex engine, std::shared_ptr<const Keyspace> keyspace,
                           bool native_merge, DotIssuer& issuer, HybridClock& clock,
                           Counters& counters)
    : keyspace_(std::move(keyspace)),
      kind_(keyspace_->kind()),
      native_merge_(native_merge),
      issuer_(issuer),
      clock_(clock),
      counters_(counters),
      port_(engine, keyspace_->durability == Durability::disk) {}

// --- what is asked ---

void ReplicaStore::read(std::uint64_t token, Bytes key) {
  Task task{};
  task.kind = Kind::read;
  task.token = token;
  task.key = std::move(key);
  const TaskId id = add(std::move(task));
  port_.read(id, row_keys(tasks_.at(id).key));
}

void ReplicaStore::put(std::uint64_t token, RowKind row, PutIntent intent, Moment moment) {
  Task task{};
  task.kind = Kind::put;
  task.token = token;
  task.key = intent.key;
  task.row = row;
  task.blind = native_merge_ && kind_ == RecordKind::lww;
  task.intent = std::move(intent);
  puts_[token] = next_task_;
  enqueue(std::move(task), moment);
}

void ReplicaStore::merge(std::uint64_t token, RowKind row, Bytes key, Bytes record, bool heal,
                         Moment moment) {
  Task task{};
  task.kind = Kind::merge;
  task.token = token;
  task.row = row;
  task.heal = heal;
  task.blind = native_merge_ && !heal;
  // Fully decoded, not only verified: what is merged blindly must never damage the row.
  const auto decoded = decode_record(record, key, kind_);
  task.key = std::move(key);
  task.record = std::move(record);
  if (!decoded) {
    refuse(task, decoded.error());
    return;
  }
  enqueue(std::move(task), moment);
}

void ReplicaStore::remove_delivered(std::uint64_t token, Bytes key, Bytes delivered,
                                    Moment moment) {
  Task task{};
  task.kind = Kind::remove;
  task.token = token;
  task.key = std::move(key);
  task.row = RowKind::fallback;
  task.record = std::move(delivered);
  enqueue(std::move(task), moment);
}

void ReplicaStore::scan(std::uint64_t token, KeyRange range, std::size_t limit) {
  Task task{};
  task.kind = Kind::scan;
  task.token = token;
  port_.scan(add(std::move(task)), std::move(range), limit);
}

bool ReplicaStore::call_off(std::uint64_t token) {
  const auto at = puts_.find(token);
  if (at == puts_.end()) return true;
  Task& task = tasks_.at(at->second);
  if (task.issued) return false;
  task.called_off = true;
  return true;
}

void ReplicaStore::no_fallback_rows(std::uint64_t at_count) {
  if (at_count == fallback_writes_) may_hold_fallback_rows_ = false;
}

// --- a key's line ---

ReplicaStore::TaskId ReplicaStore::add(Task task) {
  const TaskId id = next_task_++;
  tasks_.emplace(id, std::move(task));
  return id;
}

void ReplicaStore::enqueue(Task task, Moment moment) {
  Line& line = lines_[task.key];
  if (line.waiting.size() >= limits::key_waiters_max) {
    refuse(task, {Code::overloaded, "too many writes of one key are waiting: retry later"});
    return;
  }
  const Bytes key = task.key;
  line.waiting.push_back(add(std::move(task)));
  advance(key, moment);
}

void ReplicaStore::advance(const Bytes& key, Moment moment) {
  const auto at = lines_.find(key);
  if (at == lines_.end()) return;
  Line& line = at->second;
  while (!line.waiting.empty() && line.reading == 0) {
    const TaskId id = line.waiting.front();
    Task& task = tasks_.at(id);
    const bool chained = line.chained && line.chained_in_batch == port_.open_batch();
    const bool overtakes =
        task.kind == Kind::put && !task.blind && seeded_bug(SeededBug::own_write_overtakes);
    if (!task.blind && line.at_engine > 0 && !chained && !overtakes) break;
    line.waiting.pop_front();
    if (task.called_off) {
      fail(id, {Code::timed_out, "called off before its turn"});
    } else if (task.blind) {
      issue_blind(id, line, moment);
    } else if (line.at_engine > 0 && chained) {
      decide(id, line, *std::exchange(line.chained, std::nullopt), moment);
    } else {
      start_reading(id, line);
    }
  }
  if (line.waiting.empty() && line.reading == 0 && line.at_engine == 0) lines_.erase(at);
}

std::vector<Bytes> ReplicaStore::row_keys(const Bytes& key) const {
  std::vector<Bytes> keys;
  keys.push_back(storage_key(RowKind::data, key));
  if (may_hold_fallback_rows_) keys.push_back(storage_key(RowKind::fallback, key));
  return keys;
}

void ReplicaStore::start_reading(TaskId id, Line& line) {
  line.reading = id;
  port_.read(id, row_keys(tasks_.at(id).key));
}

Record ReplicaStore::write_lww(Task& task, Timestamp stamp) {
  Record written = lww_record(task.intent, stamp, issuer_);
  task.dot = written.siblings.front().dot;
  task.context = written.context(keyspace_->name, task.key);
  task.record = encode_record(written, task.key);
  return written;
}

void ReplicaStore::issue_blind(TaskId id, Line& line, Moment moment) {
  Task& task = tasks_.at(id);
  if (task.kind == Kind::put) {
    const auto stamp = clock_.issue(moment.wall_us);
    if (!stamp) {
      fail(id, stamp.error());
      return;
    }
    write_lww(task, *stamp);
  }
  line.chained.reset();
  task.issued = true;
  ++line.at_engine;
  if (task.row == RowKind::fallback) note_fallback_write();
  port_.merge(id, storage_key(task.row, task.key), encode_operand(task.record));
  note_blind_write(task);
}

void ReplicaStore::note_fallback_write() {
  ++fallback_writes_;
  may_hold_fallback_rows_ = true;
}

// Keeps the operands of one key few: every so many blind writes it is read and written back whole.
void ReplicaStore::note_blind_write(const Task& task) {
  if (blind_writes_.size() >= limits::key_waiters_max) blind_writes_.clear();
  std::size_t& count = blind_writes_[storage_key(task.row, task.key)];
  if (++count < limits::max_operands) return;
  count = 0;
  Task fold{};
  fold.kind = Kind::fold;
  fold.key = task.key;
  fold.row = task.row;
  // Its line is being advanced right now and goes on with whatever waits in it.
  const Bytes key = task.key;
  lines_[key].waiting.push_back(add(std::move(fold)));
}

void ReplicaStore::rows_arrived(TaskId id, Status status,
                                std::vector<Result<std::optional<Bytes>>> stored, Moment moment) {
  Task& task = tasks_.at(id);
  if (task.kind == Kind::read) {
    finish_read(task, status, std::move(stored));
    tasks_.erase(id);
    return;
  }
  const Bytes key = task.key;
  Line& line = lines_.at(key);
  line.reading = 0;
  if (stored.size() < 2) stored.emplace_back(std::optional<Bytes>());
  auto data = usable_row(task, RowKind::data, status, stored[0]);
  auto fallback = usable_row(task, RowKind::fallback, status, stored[1]);
  if (task.called_off)
    fail(id, {Code::timed_out, "called off before its turn"});
  else if (!data)
    fail(id, data.error());
  else if (!fallback)
    fail(id, fallback.error());
  else
    decide(id, line, {std::move(*data), std::move(*fallback)}, moment);
  advance(key, moment);
}

Result<Row> ReplicaStore::usable_row(const Task& task, RowKind kind, const Status& status,
                                     const Result<std::optional<Bytes>>& stored) {
  Row absent;
  absent.record.kind = kind_;
  const Status error = status.is_ok() ? stored.status() : status;
  if (!error.is_ok()) {
    if (seeded_bug(SeededBug::error_taken_for_absence)) return absent;
    if (error.code() == Code::corrupt) counters_.add("ringwright_corrupt_records_total");
    const bool replaceable = task.heal && task.row == kind && error.code() == Code::corrupt;
    if (!replaceable) return error;
    return absent;
  }
  if (!*stored) return absent;
  return decode_row(**stored, task.key, kind_);
}

void ReplicaStore::decide(TaskId id, Line& line, Rows rows, Moment moment) {
  switch (tasks_.at(id).kind) {
    case Kind::put:
      decide_put_write(id, line, std::move(rows), moment);
      break;
    case Kind::merge:
      decide_merge(id, line, std::move(rows));
      break;
    case Kind::remove:
      decide_removal(id, line, std::move(rows));
      break;
    case Kind::fold:
      decide_fold(id, line, std::move(rows));
      break;
    case Kind::read:
    case Kind::scan:
      RW_CHECK(false);
  }
}

void ReplicaStore::decide_put_write(TaskId id, Line& line, Rows rows, Moment moment) {
  Task& task = tasks_.at(id);
  const auto stamp = clock_.issue(moment.wall_us);
  if (!stamp) {
    fail(id, stamp.error());
    return;
  }
  Row& own = task.row == RowKind::data ? rows.data : rows.fallback;
  const Row& other = task.row == RowKind::data ? rows.fallback : rows.data;
  if (kind_ == RecordKind::lww) {
    merge_into_row(own, write_lww(task, *stamp));
  } else {
    const PutLimits bounds{keyspace_->siblings_max, keyspace_->record_bytes_max};
    auto decision = decide_put(task.intent, bounds, *stamp, own, other, issuer_);
    if (!decision) {
      fail(id, decision.error());
      return;
    }
    own = std::move(decision->row);
    task.record = std::move(decision->canonical);
    task.context = std::move(decision->context);
    task.dot = decision->dot;
  }
  if (seeded_bug(SeededBug::send_before_own_apply))
    events_.push_back(
        {Event::Kind::put_applied, task.token, {}, task.record, task.context, task.dot, {}});
  issue_row(id, line, std::move(rows));
}

void ReplicaStore::decide_merge(TaskId id, Line& line, Rows rows) {
  Task& task = tasks_.at(id);
  Row& row = task.row == RowKind::data ? rows.data : rows.fallback;
  if (task.heal) row.damaged.clear();
  const auto peer = decode_record(task.record, task.key, kind_);
  RW_CHECK(peer.has_value());
  merge_into_row(row, *peer);
  issue_row(id, line, std::move(rows));
}

void ReplicaStore::decide_removal(TaskId id, Line& line, Rows rows) {
  Task& task = tasks_.at(id);
  const Row& row = rows.fallback;
  const bool unchanged = !row.is_damaged() && encode_record(row.record, task.key) == task.record;
  if (!unchanged && !seeded_bug(SeededBug::stand_in_row_removed_unread)) {
    emit(Event::Kind::removed, task.token, {Code::busy, "the row has changed since"});
    tasks_.erase(id);
    return;
  }
  port_.remove(id, storage_key(RowKind::fallback, task.key));
  task.issued = true;
  ++line.at_engine;
  rows.fallback = Row{};
  rows.fallback.record.kind = kind_;
  line.chained = std::move(rows);
  line.chained_in_batch = port_.open_batch();
}

void ReplicaStore::decide_fold(TaskId id, Line& line, Rows rows) {
  const Row& row = tasks_.at(id).row == RowKind::data ? rows.data : rows.fallback;
  if (row.record.empty() && !row.is_damaged())
    tasks_.erase(id);  // removed in the meantime
  else
    issue_row(id, line, std::move(rows));
}

void ReplicaStore::issue_row(TaskId id, Line& line, Rows rows) {
  Task& task = tasks_.at(id);
  const Row& row = task.row == RowKind::data ? rows.data : rows.fallback;
  if (task.row == RowKind::fallback) note_fallback_write();
  port_.put(id, storage_key(task.row, task.key), encode_row(row, task.key));
  task.issued = true;
  ++line.at_engine;
  line.chained = std::move(rows);
  line.chained_in_batch = port_.open_batch();
}

// --- what the engine answered ---

void ReplicaStore::complete(EngineCompletion completion, Moment moment) {
  for (EnginePort::Event& event : port_.complete(std::move(completion))) {
    const auto at = tasks_.find(event.asker);
    if (at == tasks_.end()) continue;
    Task& task = at->second;
    switch (event.kind) {
      case EnginePort::Event::Kind::rows:
        rows_arrived(event.asker, std::move(event.status), std::move(event.rows), moment);
        break;
      case EnginePort::Event::Kind::applied:
        applied(event.asker, event.status, moment);
        break;
      case EnginePort::Event::Kind::durable:
        if (task.kind == Kind::put || task.kind == Kind::merge)
          emit(Event::Kind::durable, task.token, std::move(event.status));
        else if (task.kind == Kind::remove)
          emit(Event::Kind::removed, task.token, std::move(event.status));
        if (task.kind == Kind::put) puts_.erase(task.token);
        tasks_.erase(event.asker);
        break;
      case EnginePort::Event::Kind::scanned:
        emit(Event::Kind::scanned, task.token, std::move(event.status));
        events_.back().rows = std::move(event.scanned);
        tasks_.erase(event.asker);
        break;
    }
  }
}

void ReplicaStore::applied(TaskId id, const Status& status, Moment moment) {
  Task& task = tasks_.at(id);
  const Bytes key = task.key;
  --lines_.at(key).at_engine;
  // Counted again now that it shows: a scan that began before this may not have seen it.
  if (task.row == RowKind::fallback) note_fallback_write();
  if (!status.is_ok()) {
    fail(id, status);
  } else if (task.kind == Kind::put && !seeded_bug(SeededBug::send_before_own_apply)) {
    events_.push_back({Event::Kind::put_applied,
                       task.token,
                       {},
                       std::move(task.record),
                       std::move(task.context),
                       task.dot,
                       {}});
  }
  advance(key, moment);
}

void ReplicaStore::finish_read(Task& task, const Status& status,
                               std::vector<Result<std::optional<Bytes>>> stored) {
  const auto answer = [&](Status outcome, Bytes record) {
    if (outcome.code() == Code::corrupt) counters_.add("ringwright_corrupt_records_total");
    emit(Event::Kind::read, task.token, std::move(outcome));
    events_.back().record = std::move(record);
  };
  if (!status.is_ok()) return answer(status, {});
  std::vector<Bytes> canonical;
  for (const auto& row : stored) {
    if (!row) return answer(row.error(), {});
    if (!*row) continue;
    const auto record = canonical_of(**row);
    const Status verified = record ? verify_record(*record, task.key)
                                   : Status{Code::corrupt, "the stored record of key " +
                                                               printable(task.key) + " is damaged"};
    if (!verified.is_ok()) return answer(verified, {});
    canonical.emplace_back(*record);
  }
  if (canonical.empty()) return answer({}, {});
  if (canonical.size() == 1) return answer({}, std::move(canonical.front()));
  const auto data = decode_record(canonical[0], task.key, kind_);
  const auto fallback = decode_record(canonical[1], task.key, kind_);
  if (!data) return answer(data.error(), {});
  if (!fallback) return answer(fallback.error(), {});
  answer({}, encode_record(merge_records(*data, *fallback), task.key));
}

void ReplicaStore::fail(TaskId id, Status status) {
  Task& task = tasks_.at(id);
  // A write that was issued may have happened unless the engine says that it certainly has not.
  const bool doubtful = task.issued && !certainly_not_applied(status.code());
  if (task.kind == Kind::put && doubtful) {
    puts_.erase(task.token);
    issuer_.doubt();
    emit(Event::Kind::put_doubtful, task.token, std::move(status));
  } else {
    refuse(task, std::move(status));
  }
  tasks_.erase(id);
}

void ReplicaStore::refuse(Task& task, Status status) {
  switch (task.kind) {
    case Kind::put:
      puts_.erase(task.token);
      emit(Event::Kind::put_refused, task.token, std::move(status));
      break;
    case Kind::merge:
      emit(Event::Kind::merge_failed, task.token, std::move(status));
      break;
    case Kind::remove:
      emit(Event::Kind::removed, task.token, std::move(status));
      break;
    case Kind::fold:
    case Kind::read:
    case Kind::scan:
      break;
  }
}

void ReplicaStore::emit(Event::Kind kind, std::uint64_t token, Status status) {
  Event event{};
  event.kind = kind;
  event.token = token;
  event.status = std::move(status);
  events_.push_back(std::move(event));
}

std::vector<ReplicaStore::Event> ReplicaStore::take_events() { return std::exchange(events_, {}); }

void ReplicaStore::take_work(Ticket& next_ticket, std::vector<EngineWork>& work) {
  port_.take_work(next_ticket, work);
}

}  // namespace ringwright
