#include "replication/shard/replica_store.h"

#include <algorithm>
#include <utility>

#include "engine/base/seeded_bug.h"
#include "replication/version/merge.h"
#include "replication/version/record_view.h"

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
                           const Capabilities& capabilities, DotIssuer& issuer, HybridClock& clock,
                           Counters& counters)
    : keyspace_(std::move(keyspace)),
      kind_(keyspace_->kind()),
      native_merge_(capabilities.merge),
      operands_gather_(capabilities.merge && !capabilities.folds_at_once),
      issuer_(issuer),
      clock_(clock),
      counters_(counters),
      port_(engine, keyspace_->durability == Durability::disk) {}

// --- what is asked ---

// Made where it stays: a task is large.
std::pair<ReplicaStore::TaskId, ReplicaStore::Task&> ReplicaStore::add_task(Kind kind,
                                                                            std::uint64_t token) {
  const TaskId id = tasks_.add();
  Task& task = tasks_.at(id);
  task.kind = kind;
  task.token = token;
  return {id, task};
}

void ReplicaStore::read(std::uint64_t token, Bytes key) {
  const auto [id, task] = add_task(Kind::read, token);
  task.key = std::move(key);
  read_rows(id, token_of(task.key), task.key);
}

void ReplicaStore::put(std::uint64_t token, RowKind row, PutIntent intent, Moment moment) {
  const auto [id, task] = add_task(Kind::put, token);
  task.row = row;
  task.blind = native_merge_ && kind_ == RecordKind::lww;
  task.intent = std::move(intent);
  puts_.insert(token, id);
  enqueue(id, task.intent.key, moment);
}

void ReplicaStore::merge(std::uint64_t token, RowKind row, Bytes key, Bytes record, bool heal,
                         Moment moment) {
  const auto [id, task] = add_task(Kind::merge, token);
  task.row = row;
  task.heal = heal;
  task.blind = native_merge_ && !heal;
  task.record = std::move(record);
  // Decoded to its end, not only verified: what is merged blindly must never damage the row.
  if (Status sound = check_record(task.record, key, kind_); !sound.is_ok())
    fail(id, std::move(sound));
  else
    enqueue(id, std::move(key), moment);
}

void ReplicaStore::remove_delivered(std::uint64_t token, Bytes key, Bytes delivered,
                                    Moment moment) {
  const auto [id, task] = add_task(Kind::remove, token);
  task.row = RowKind::fallback;
  task.record = std::move(delivered);
  enqueue(id, std::move(key), moment);
}

void ReplicaStore::scan(std::uint64_t token, KeyRange range, std::size_t limit) {
  port_.scan(add_task(Kind::scan, token).first, std::move(range), limit);
}

bool ReplicaStore::call_off(std::uint64_t token) {
  const TaskId* const id =
      puts_.find(token, [&](TaskId put) { return tasks_.at(put).token == token; });
  if (id == nullptr) return true;
  Task& task = tasks_.at(*id);
  if (task.issued) return false;
  task.called_off = true;
  return true;
}

void ReplicaStore::no_fallback_rows(std::uint64_t at_count) {
  if (at_count == fallback_writes_) may_hold_fallback_rows_ = false;
}

// --- a key's line ---

ReplicaStore::LineId ReplicaStore::line_for(Bytes key) {
  const Token token = token_of(key);
  const LineId* const known =
      lines_by_key_.find(token, [&](LineId id) { return lines_.at(id).key == key; });
  if (known != nullptr) return *known;
  const LineId id = lines_.add();
  Line& line = lines_.at(id);
  line.key = std::move(key);
  line.token = token;
  lines_by_key_.insert(token, id);
  return id;
}

void ReplicaStore::end_line_if_idle(LineId id) {
  const Line& line = lines_.at(id);
  if (line.waiting > 0 || line.reading != 0 || line.at_engine > 0) return;
  lines_by_key_.erase(line.token, [id](LineId each) { return each == id; });
  lines_.erase(id);
}

void ReplicaStore::enqueue(TaskId id, Bytes key, Moment moment) {
  const LineId line_id = line_for(std::move(key));
  Line& line = lines_.at(line_id);
  tasks_.at(id).line = line_id;
  if (line.waiting >= limits::key_waiters_max) {
    fail(id, {Code::overloaded, "too many writes of one key are waiting: retry later"});
    return;
  }
  append(line, id);
  advance(line_id, moment);
}

void ReplicaStore::append(Line& line, TaskId id) {
  if (line.waiting++ == 0)
    line.first = id;
  else
    tasks_.at(line.last).next = id;
  line.last = id;
}

ReplicaStore::TaskId ReplicaStore::take_first(Line& line) {
  --line.waiting;
  return std::exchange(line.first, tasks_.at(line.first).next);
}

void ReplicaStore::advance(LineId line_id, Moment moment) {
  Line& line = lines_.at(line_id);
  while (line.waiting > 0 && line.reading == 0) {
    const Task& task = tasks_.at(line.first);
    const bool chained = line.chained && line.chained_in_batch == port_.open_batch();
    const bool overtakes =
        task.kind == Kind::put && !task.blind && seeded_bug(SeededBug::own_write_overtakes);
    if (!task.blind && line.at_engine > 0 && !chained && !overtakes) break;
    const TaskId id = take_first(line);
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
  end_line_if_idle(line_id);
}

// Both rows of the key, unless there certainly is no fallback row.
void ReplicaStore::read_rows(TaskId id, Token token, const Bytes& key) {
  if (may_hold_fallback_rows_)
    port_.read(id, storage_key(RowKind::data, token, key),
               storage_key(RowKind::fallback, token, key));
  else
    port_.read(id, storage_key(RowKind::data, token, key));
}

void ReplicaStore::start_reading(TaskId id, Line& line) {
  line.reading = id;
  read_rows(id, line.token, line.key);
}

PutLimits ReplicaStore::put_limits() const {
  return {keyspace_->siblings_max, keyspace_->record_bytes_max};
}

Record ReplicaStore::write_lww(Task& task, Timestamp stamp) {
  Record written = lww_record(task.intent, stamp, issuer_);
  task.dot = written.siblings.front().dot;
  task.context = written.context(keyspace_->name, task.intent.key);
  task.record = encode_record(written, task.intent.key);
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
  port_.merge(id, storage_key(task.row, line.token, line.key), encode_operand(task.record));
  if (operands_gather_) note_blind_write(task, line);
}

void ReplicaStore::note_fallback_write() {
  ++fallback_writes_;
  may_hold_fallback_rows_ = true;
}

// Keeps the operands of one key few: every so many blind writes it is read and written back whole.
void ReplicaStore::note_blind_write(const Task& task, Line& line) {
  if (!blind_writes_.add(line.token + static_cast<Token>(task.row), limits::max_operands)) return;
  const auto [id, fold] = add_task(Kind::fold, 0);
  fold.row = task.row;
  fold.line = task.line;
  // Its line is being advanced right now and goes on with whatever waits in it.
  append(line, id);
}

void ReplicaStore::rows_arrived(TaskId id, const Status& status, Stored stored, Moment moment) {
  const Task& task = tasks_.at(id);
  if (task.kind == Kind::read) {
    finish_read(task, status, stored);
    tasks_.erase(id);
    return;
  }
  const LineId line_id = task.line;
  Line& line = lines_.at(line_id);
  line.reading = 0;
  if (put_undecoded(id, line, status, stored, moment)) {
    advance(line_id, moment);
    return;
  }
  auto data = usable_row(task, RowKind::data, status, stored, 0);
  auto fallback = usable_row(task, RowKind::fallback, status, stored, 1);
  if (task.called_off)
    fail(id, {Code::timed_out, "called off before its turn"});
  else if (!data)
    fail(id, data.error());
  else if (!fallback)
    fail(id, fallback.error());
  else
    decide(id, line, {std::move(*data), std::move(*fallback)}, moment);
  advance(line_id, moment);
}

// A row that was not asked for is absent: nobody may have written it.
Result<Row> ReplicaStore::usable_row(const Task& task, RowKind kind, const Status& status,
                                     const Stored& stored, std::size_t at) {
  Row absent;
  absent.record.kind = kind_;
  const bool asked = at < stored.size();
  const Status error = !status.is_ok() ? status : asked ? stored[at].status() : Status{};
  if (!error.is_ok()) {
    if (seeded_bug(SeededBug::error_taken_for_absence)) return absent;
    if (error.code() == Code::corrupt) counters_.add("ringwright_corrupt_records_total");
    const bool replaceable = task.heal && task.row == kind && error.code() == Code::corrupt;
    if (!replaceable) return error;
    return absent;
  }
  if (!asked || !*stored[at]) return absent;
  return decode_row(**stored[at], line_of(task).key, kind_);
}

void ReplicaStore::decide(TaskId id, Line& line, Rows&& rows, Moment moment) {
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

void ReplicaStore::decide_put_write(TaskId id, Line& line, Rows&& rows, Moment moment) {
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
    Bytes encoded = encode_row(own, line.key);
    issue_row(id, line, std::move(rows), std::move(encoded));
    return;
  }
  auto decision =
      decide_put(std::move(task.intent), put_limits(), *stamp, std::move(own), other, issuer_);
  if (decision)
    issue_put(id, line, std::move(rows), std::move(*decision));
  else
    fail(id, decision.error());
}

// The most common put: of kind `siblings`, with one row that was there. False: not of that sort.
bool ReplicaStore::put_undecoded(TaskId id, Line& line, const Status& status, const Stored& stored,
                                 Moment moment) {
  Task& task = tasks_.at(id);
  const bool is_plain = task.kind == Kind::put && kind_ == RecordKind::siblings &&
                        task.row == RowKind::data && !task.called_off && status.is_ok();
  const auto is_absent = [](const auto& row) { return row.has_value() && !*row; };
  if (!is_plain || stored.empty() || !stored[0] || !*stored[0]) return false;
  if (!std::all_of(stored.begin() + 1, stored.end(), is_absent)) return false;
  const auto stamp = clock_.issue(moment.wall_us);
  if (!stamp) {
    fail(id, stamp.error());
    return true;
  }
  auto decision = decide_put(std::move(task.intent), put_limits(), *stamp, **stored[0], issuer_);
  if (!decision) {
    fail(id, decision.error());
    return true;
  }
  Rows rows;
  rows.fallback.record.kind = kind_;
  issue_put(id, line, std::move(rows), std::move(*decision));
  return true;
}

void ReplicaStore::issue_put(TaskId id, Line& line, Rows&& rows, PutDecision&& decision) {
  Task& task = tasks_.at(id);
  task.record = std::move(decision.canonical);
  task.context = std::move(decision.context);
  task.dot = decision.dot;
  Bytes encoded = encode_row_around(decision.row, task.record);
  (task.row == RowKind::data ? rows.data : rows.fallback) = std::move(decision.row);
  issue_row(id, line, std::move(rows), std::move(encoded));
}

void ReplicaStore::decide_merge(TaskId id, Line& line, Rows&& rows) {
  const Task& task = tasks_.at(id);
  Row& row = task.row == RowKind::data ? rows.data : rows.fallback;
  if (task.heal) row.damaged.clear();
  auto peer = decode_record(task.record, line.key, kind_);
  RW_CHECK(peer.has_value());
  merge_into_row(row, std::move(*peer));
  Bytes encoded = encode_row(row, line.key);
  issue_row(id, line, std::move(rows), std::move(encoded));
}

void ReplicaStore::decide_removal(TaskId id, Line& line, Rows&& rows) {
  Task& task = tasks_.at(id);
  const Row& row = rows.fallback;
  const bool unchanged = !row.is_damaged() && encode_record(row.record, line.key) == task.record;
  if (!unchanged && !seeded_bug(SeededBug::stand_in_row_removed_unread)) {
    emit(Event::Kind::removed, task.token, {Code::busy, "the row has changed since"});
    tasks_.erase(id);
    return;
  }
  port_.remove(id, storage_key(RowKind::fallback, line.token, line.key));
  task.issued = true;
  ++line.at_engine;
  rows.fallback = Row{};
  rows.fallback.record.kind = kind_;
  line.chained = std::move(rows);
  line.chained_in_batch = port_.open_batch();
}

void ReplicaStore::decide_fold(TaskId id, Line& line, Rows&& rows) {
  const Row& row = tasks_.at(id).row == RowKind::data ? rows.data : rows.fallback;
  if (row.record.empty() && !row.is_damaged()) {
    tasks_.erase(id);  // removed in the meantime
    return;
  }
  Bytes encoded = encode_row(row, line.key);
  issue_row(id, line, std::move(rows), std::move(encoded));
}

// `encoded`: the row that the task writes.
void ReplicaStore::issue_row(TaskId id, Line& line, Rows&& rows, Bytes encoded) {
  Task& task = tasks_.at(id);
  if (task.kind == Kind::put && seeded_bug(SeededBug::send_before_own_apply))
    events_.push_back(
        {Event::Kind::put_applied, task.token, {}, task.record, task.context, task.dot, {}});
  if (task.row == RowKind::fallback) note_fallback_write();
  port_.put(id, storage_key(task.row, line.token, line.key), std::move(encoded));
  task.issued = true;
  ++line.at_engine;
  line.chained = std::move(rows);
  line.chained_in_batch = port_.open_batch();
}

// --- what the engine answered ---

void ReplicaStore::complete(EngineCompletion completion, Moment moment) {
  for (EnginePort::Event& event : port_.complete(std::move(completion))) {
    const Task* const task = tasks_.find(event.asker);
    if (task == nullptr) continue;
    switch (event.kind) {
      case EnginePort::Event::Kind::rows:
        rows_arrived(event.asker, event.status, event.rows, moment);
        break;
      case EnginePort::Event::Kind::applied:
        applied(event.asker, event.status, moment);
        break;
      case EnginePort::Event::Kind::durable:
        if (task->kind == Kind::put || task->kind == Kind::merge)
          emit(Event::Kind::durable, task->token, std::move(event.status));
        else if (task->kind == Kind::remove)
          emit(Event::Kind::removed, task->token, std::move(event.status));
        if (task->kind == Kind::put) end_put(*task);
        tasks_.erase(event.asker);
        break;
      case EnginePort::Event::Kind::scanned:
        emit(Event::Kind::scanned, task->token, std::move(event.status));
        events_.back().rows = std::move(event.scanned);
        tasks_.erase(event.asker);
        break;
    }
  }
}

void ReplicaStore::applied(TaskId id, const Status& status, Moment moment) {
  Task& task = tasks_.at(id);
  const LineId line_id = task.line;
  --lines_.at(line_id).at_engine;
  // Counted again now that it shows: a scan that began before this may not have seen it.
  if (task.row == RowKind::fallback) note_fallback_write();
  if (!status.is_ok()) {
    fail(id, status);
  } else if (task.kind == Kind::put && !seeded_bug(SeededBug::send_before_own_apply)) {
    emit(Event::Kind::put_applied, task.token);
    Event& event = events_.back();
    event.record = std::move(task.record);
    event.context = std::move(task.context);
    event.dot = task.dot;
  }
  advance(line_id, moment);
}

void ReplicaStore::finish_read(const Task& task, const Status& status, Stored stored) {
  auto answer = canonical_answer(task, status, stored);
  if (answer.status().code() == Code::corrupt) counters_.add("ringwright_corrupt_records_total");
  emit(Event::Kind::read, task.token, answer.status());
  if (answer) events_.back().record = std::move(*answer);
}

Result<Bytes> ReplicaStore::canonical_answer(const Task& task, const Status& status,
                                             Stored stored) {
  if (!status.is_ok()) return status;
  std::optional<Bytes> found;
  for (auto& row : stored) {
    if (!row) return row.error();
    if (!*row) continue;
    const auto canonical = canonical_of(**row);
    if (!canonical)
      return Status{Code::corrupt,
                    "the stored record of key " + printable(task.key) + " is damaged"};
    RW_TRY(verify_record(*canonical, task.key));
    if (!found) {
      const auto header = static_cast<std::size_t>(canonical->data() - (*row)->data());
      found = std::move(**row).erase(0, header);
      continue;
    }
    auto data = decode_record(*found, task.key, kind_);
    auto fallback = decode_record(*canonical, task.key, kind_);
    if (!data) return data.error();
    if (!fallback) return fallback.error();
    found = encode_record(merge_records(std::move(*data), std::move(*fallback)), task.key);
  }
  return found ? std::move(*found) : Bytes();
}

// Its caller hears no more of it.
void ReplicaStore::end_put(const Task& task) {
  puts_.erase(task.token, [&](TaskId put) { return tasks_.at(put).token == task.token; });
}

void ReplicaStore::fail(TaskId id, Status status) {
  const Task& task = tasks_.at(id);
  // A write that was issued may have happened unless the engine says that it certainly has not.
  const bool doubtful = task.issued && !certainly_not_applied(status.code());
  switch (task.kind) {
    case Kind::put:
      end_put(task);
      if (doubtful) issuer_.doubt();
      emit(doubtful ? Event::Kind::put_doubtful : Event::Kind::put_refused, task.token,
           std::move(status));
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
  tasks_.erase(id);
}

void ReplicaStore::emit(Event::Kind kind, std::uint64_t token, Status status) {
  Event& event = events_.emplace_back();
  event.kind = kind;
  event.token = token;
  event.status = std::move(status);
}

void ReplicaStore::take_events(std::vector<Event>& events) {
  events.clear();
  events.swap(events_);
}

void ReplicaStore::take_work(Ticket& next_ticket, std::vector<EngineWork>& work) {
  port_.take_work(next_ticket, work);
}

}  // namespace ringwright
