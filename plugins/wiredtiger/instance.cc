#include "plugins/wiredtiger/instance.h"

#include <chrono>
#include <thread>
#include <utility>

#include "engine/base/guarded.h"
#include "engine/base/limits.h"
#include "engine/iterators.h"
#include "plugins/wiredtiger/backup.h"
#include "plugins/wiredtiger/convert.h"
#include "plugins/wiredtiger/range_iterator.h"
#include "plugins/wiredtiger/transaction.h"

namespace ringwright {
namespace {

// What a write takes in the log beside its keys and rows, roughly.
constexpr std::uint64_t log_record_bytes = 128;
// A guess at the number of many rows is good for as long as this.
constexpr std::uint64_t recount_after_bytes = std::uint64_t{16} << 20;
// Between two attempts of a write that met another.
constexpr std::chrono::microseconds retry_after{100};
// In `written_`: no more numbers are given.
constexpr std::uint64_t sealed = std::uint64_t{1} << 63;

using Way = DamagedPlaces::Way;

// Short enough for the string's own buffer: this answer is part of the normal path.
Status would_block_status() { return {Code::would_block, "needs I/O"}; }

std::uint64_t bytes_of(const WriteBatch& batch) {
  std::uint64_t bytes = log_record_bytes;
  for (const auto& operation : batch.operations())
    bytes += operation.key.size() + operation.value.size();
  return bytes;
}

}  // namespace

Instance::Instance(std::shared_ptr<Store> store, std::uint64_t start, Trouble expected)
    : store_(std::move(store)),
      serves_(expected != Trouble::none),
      reviving_(expected),
      written_(start) {}

Instance::~Instance() = default;

// --- the way of the connection ---

Status Instance::connect(std::shared_ptr<DirectoryLock> lock) {
  auto connection = Connection::open(store_->options, *store_, std::move(lock));
  if (!connection) return connection.error();
  connection_ = std::move(*connection);
  return ok_status();
}

Trouble Instance::curable_trouble() const {
  const Trouble trouble = connection_->trouble();
  // What is in the log is not known after a failure, and without a log rows would be lost.
  const bool curable = trouble != Trouble::failed && store_->durability != Durability::none;
  return curable && !failure_.is_set() ? trouble : Trouble::none;
}

void Instance::admit_calls() {
  for (BreakableMutex* const each : {&commit_mutex_, &sync_mutex_, &copy_mutex_, &count_mutex_})
    each->mend();
  serves_.store(true);
  gate_.open();
  reviving_.store(Trouble::none, std::memory_order_release);
  if (caretaker_.is_started()) return;
  checkpoint_time_ = store_->clock->now();
  caretaker_.start([this] {
    guarded("caretaker", [this] {
      checkpoint_if_due();
      return ok_status();
    }).ignore("the next tick tries again");
  });
}

// Whoever waits for a mutex is sent away, so that only calls that are in WiredTiger stay inside.
bool Instance::shut() {
  if (connection_) reviving_.store(connection_->trouble(), std::memory_order_release);
  while (connection_ && connection_->trouble() == Trouble::none)
    if (gate_.shut_within(store_->patience)) return true;
  if (connection_) connection_->sever();
  for (BreakableMutex* const each : {&commit_mutex_, &sync_mutex_, &copy_mutex_, &count_mutex_})
    each->break_off();
  return gate_.shut_within(store_->patience);
}

Status Instance::disconnect() {
  if (!serves_.load()) caretaker_.stop();
  gate_.forget_sessions();
  const std::shared_ptr<Connection> connection = std::exchange(connection_, nullptr);
  if (!connection || connection.use_count() > 1) return ok_status();
  return connection->close();
}

std::uint64_t Instance::leave() {
  // Its checkpoint may be what does not return.
  if (!caretaker_.stop_within(0)) caretaker_.leave();
  const std::uint64_t last = written_.fetch_or(sealed);
  connection_->leave(shared_from_this());
  return last;
}

void Instance::retire() {
  serves_.store(false);
  if (connection_) connection_->retire();
}

// --- who may go on ---

Status Instance::not_open(bool changes) {
  if (!serves_.load()) return {Code::closed, "engine is not open"};
  if (failure_.is_set()) return failure_.status();
  const Trouble trouble = reviving_.load(std::memory_order_acquire);
  // It has been opened since this call did not get in.
  if (trouble == Trouble::none) return {Code::busy, "was just opened again"};
  return troubled(trouble, changes);
}

Status Instance::troubled(Trouble trouble, bool changes) {
  if (store_->durability == Durability::none || trouble == Trouble::failed)
    return failure_.set(Code::io_error,
                        {Code::io_error, "WiredTiger has given up; see the file LOG"});
  if (trouble == Trouble::full)
    return changes ? Status(Code::no_space, "disk was full; waiting for free space")
                   : Status(Code::busy, "being opened again: the disk was full");
  return {Code::busy, "being opened again: a damaged block was read"};
}

Status Instance::admission(const SessionGate::Call& call, bool changes) {
  if (!call) return not_open(changes);
  if (changes && failure_.is_set()) return failure_.status();
  const Trouble trouble = connection_->trouble();
  return trouble == Trouble::none ? ok_status() : troubled(trouble, changes);
}

// --- reads ---

Instance::Answers Instance::multi_get(std::span<const Bytes> keys, MayBlock may_block) {
  Answers answers;
  SessionGate::Call call(gate_);
  try {
    answers.reserve(keys.size());
    const Status admitted = admission(call, false);
    if (!admitted.is_ok())
      answers.assign(keys.size(), admitted);
    else if (may_block == MayBlock::no)
      answers.assign(keys.size(), would_block_status());
    else
      get_each(call, keys, answers);
  } catch (...) {
    answers.assign(keys.size(), exception_status("get"));
  }
  return answers;
}

// Several keys are read in one transaction: without, each search would take a snapshot of its own,
// for which threads meet in the library.
void Instance::get_each(SessionGate::Call& call, std::span<const Bytes> keys, Answers& answers) {
  int unavailable = 0;
  NativeSession* const native = session_of(call, unavailable);
  if (native == nullptr) return answers.assign(keys.size(), connection_->no_session(unavailable));
  WT_SESSION* const session = native->session;
  WT_CURSOR* const rows = native->rows;
  const bool together = keys.size() > 1;
  if (together)
    if (const int error = session->begin_transaction(session, nullptr); error != 0)
      return answers.assign(keys.size(), connection_->to_status(error, "get"));
  const auto end = [&] {
    rows->reset(rows);
    if (together) native->roll_back();
  };
  try {
    for (const Bytes& key : keys) answers.emplace_back(get_one(rows, key));
  } catch (...) {
    end();
    throw;
  }
  end();
}

Result<std::optional<Bytes>> Instance::get_one(WT_CURSOR* rows, const Bytes& key) {
  if (key.empty()) return std::optional<Bytes>();  // cannot have been written
  if (store_->damage->leads_there(Way::at, key))
    return Status(Code::corrupt, "get " + printable(key) + ": lies in a damaged block");
  const WT_ITEM item = to_item(key);
  rows->set_key(rows, &item);
  int error = rows->search(rows);
  if (error == WT_NOTFOUND) return std::optional<Bytes>();
  WT_ITEM value{};
  if (error == 0) error = rows->get_value(rows, &value);
  if (error == 0) return std::optional<Bytes>(to_view(value));
  Status status = connection_->to_status(error, "get " + printable(key));
  if (status.code() == Code::corrupt) store_->damage->note(Way::at, key, range_of_key(key));
  return status;
}

// --- writes ---

Result<std::uint64_t> Instance::write(const WriteBatch& batch, MayBlock may_block) {
  SessionGate::Call call(gate_);
  RW_TRY(admission(call, true));
  if (may_block == MayBlock::no) return would_block_status();
  try {
    return write_admitted(call, batch);
  } catch (...) {
    return failure_.set(Code::in_doubt, exception_status("write"));
  }
}

Status Instance::check_batch(const WriteBatch& batch) {
  for (const WriteBatch::Operation& operation : batch.operations()) {
    if (operation.kind == WriteBatch::Kind::merge)
      return {Code::invalid, "engine wiredtiger does not merge"};
    if (operation.key.empty() && operation.kind == WriteBatch::Kind::put)
      return {Code::invalid, "engine wiredtiger has no empty keys"};
    if (store_->damage->leads_there(Way::at, operation.key))
      return {Code::corrupt, "write " + printable(operation.key) + ": lies in a damaged block"};
  }
  return ok_status();
}

Result<std::uint64_t> Instance::write_admitted(SessionGate::Call& call, const WriteBatch& batch) {
  if (batch.empty()) return written_.load();
  RW_TRY(check_batch(batch));
  const std::uint64_t bytes = bytes_of(batch);
  int unavailable = 0;
  NativeSession* const native = session_of(call, unavailable);
  if (native == nullptr) return connection_->no_session(unavailable);
  RW_TRY(check_space(*native, bytes));
  Instant deadline = 0;
  while (true) {
    bool committing = false;
    const Bytes* touched = nullptr;
    int error = begin_batch(*native, batch, touched);
    if (error == 0) {
      const BreakableMutex::Hold hold(commit_mutex_);
      if (!hold) {
        native->roll_back();
        return given_up(true);
      }
      committing = true;
      count_bytes(bytes);
      error = commit(*native);
      if (error == 0) return acknowledge();
    }
    if (!may_be_retried(error)) return write_failure(error, committing, touched);
    const Instant now = store_->clock->now();
    if (deadline == 0) deadline = now + limits::wiredtiger_write_deadline;
    if (now >= deadline) return write_failure(error, committing, touched);
    std::this_thread::sleep_for(retry_after);
  }
}

void Instance::count_bytes(std::uint64_t bytes) {
  written_bytes_.store(written_bytes_.load(std::memory_order_relaxed) + bytes,
                       std::memory_order_relaxed);
}

Result<std::uint64_t> Instance::acknowledge() {
  const std::uint64_t number = written_.fetch_add(1) + 1;
  if ((number & sealed) == 0) return number;
  return Status(Code::in_doubt, "write: returned after its connection was left behind");
}

Status Instance::write_failure(int error, bool committing, const Bytes* touched) {
  Status cause = connection_->to_status(error, "write");
  if (may_be_retried(error)) return {Code::busy, cause.message()};
  if (committing) {
    // A log record that did not fit is torn, and dropped by the recovery that must come now; but
    // who knows.
    if (curable_trouble() != Trouble::none) return {Code::in_doubt, cause.message()};
    return failure_.set(Code::in_doubt, cause);
  }
  if (cause.code() == Code::corrupt && touched != nullptr)
    store_->damage->note(Way::at, *touched, range_of_key(*touched));
  return cause;
}

// Room is kept for what the cache must still write, because the library panics without.
Status Instance::check_space(NativeSession& native, std::uint64_t bytes) {
  if (connection_->events().lacks_space()) return store_->space->refuse();
  const auto needed = [&] {
    return limits::wiredtiger_free_bytes_min + read_cache(native.session).dirty_bytes +
           store_->ballast->missing_bytes();
  };
  if (store_->ballast->is_whole()) return store_->space->admit(bytes, needed);
  RW_TRY(store_->space->look(bytes, needed()));
  return store_->ballast->fill() ? ok_status() : store_->space->refuse();
}

Status Instance::sync(std::uint64_t sequence, MayBlock may_block) {
  SessionGate::Call call(gate_);
  RW_TRY(admission(call, true));
  if (store_->durability != Durability::disk) return ok_status();
  if (sequence <= synced_through_.load(std::memory_order_acquire)) return ok_status();
  if (may_block == MayBlock::no) return would_block_status();
  return guarded("sync", [&] { return sync_through(call, sequence); });
}

Status Instance::sync_through(SessionGate::Call& call, std::uint64_t sequence) {
  const BreakableMutex::Hold hold(sync_mutex_);
  if (!hold) return given_up(true);
  if (failure_.is_set()) return failure_.status();
  // Another thread's sync may have covered this one while it waited.
  if (sequence <= synced_through_.load(std::memory_order_acquire)) return ok_status();
  const std::uint64_t covered = written_.load();
  int unavailable = 0;
  NativeSession* const native = session_of(call, unavailable);
  if (native == nullptr) return connection_->no_session(unavailable);
  const int error = native->session->log_flush(native->session, "sync=on");
  // Beside a sync that failed this one may have found nothing left to do.
  if (error == 0 && connection_->trouble() == Trouble::failed)
    return failure_.set(Code::io_error, {Code::io_error, "sync: one beside it failed"});
  if (error != 0) {
    const Status cause = connection_->to_status(error, "sync");
    if (curable_trouble() != Trouble::none) return given_up(true);
    return cause.code() == Code::no_space ? cause : failure_.set(Code::io_error, cause);
  }
  if ((written_.load() & sealed) != 0) return given_up(true);
  synced_through_.store(covered, std::memory_order_release);
  return ok_status();
}

std::unique_ptr<Iterator> Instance::iterate(const KeyRange& range, Direction direction) {
  SessionGate::Call call(gate_);
  try {
    Status admitted = admission(call, false);
    if (!admitted.is_ok()) return make_empty_iterator(std::move(admitted));
    if (range.is_nothing()) return make_empty_iterator(ok_status());
    int unavailable = 0;
    auto lease = call.take_along(connection_->sessions(), unavailable);
    if (!lease) return make_empty_iterator(connection_->no_session(unavailable));
    return make_range_iterator(connection_, std::move(lease), range, direction);
  } catch (...) {
    return make_empty_iterator(exception_status("iterate"));
  }
}

Status Instance::drop_range(const KeyRange& range) {
  SessionGate::Call call(gate_);
  RW_TRY(admission(call, true));
  return guarded("drop range", [&]() -> Status {
    if (range.is_nothing()) return ok_status();
    const auto dropped = drop_admitted(call, range);
    if (!dropped) return dropped.error();
    return store_->durability == Durability::disk ? sync_through(call, *dropped) : ok_status();
  });
}

// The commit mutex is held from before the snapshot on: a row that another write commits in between
// would survive here, and not a recovery, which drops all that stands in the log before.
Result<std::uint64_t> Instance::drop_admitted(SessionGate::Call& call, const KeyRange& range) {
  int unavailable = 0;
  NativeSession* const native = session_of(call, unavailable);
  if (native == nullptr) return connection_->no_session(unavailable);
  RW_TRY(check_space(*native, log_record_bytes + range.start.size() + range.stop.size()));
  const Instant deadline = store_->clock->now() + limits::wiredtiger_write_deadline;
  while (true) {
    bool committing = false;
    int error = 0;
    {
      const BreakableMutex::Hold hold(commit_mutex_);
      if (!hold) return given_up(true);
      error = begin_drop(*native, range);
      if (error == 0) {
        committing = true;
        count_bytes(log_record_bytes);
        error = commit(*native);
      }
      if (error == 0) return acknowledge();
    }
    if (!may_be_retried(error) || store_->clock->now() >= deadline)
      return write_failure(error, committing, nullptr);
    std::this_thread::sleep_for(retry_after);
  }
}

// Not begun where it may not come to its end: a checkpoint that failed is not tried again.
Status Instance::write_checkpoint(SessionGate::Call& call) {
  int unavailable = 0;
  NativeSession* const native = session_of(call, unavailable);
  if (native == nullptr) return connection_->no_session(unavailable);
  const std::uint64_t room =
      store_->ballast->held_bytes() + disk_space(store_->directory.real_path()).free_bytes;
  if (room < read_cache(native->session).dirty_bytes + limits::wiredtiger_checkpoint_bytes)
    return {Code::no_space,
            "checkpoint: disk of '" + store_->directory.real_path() + "' is full: free some space"};
  const int error = native->session->checkpoint(native->session, nullptr);
  return connection_->to_status(error, "checkpoint");
}

Status Instance::flush() {
  SessionGate::Call call(gate_);
  RW_TRY(admission(call, true));
  return guarded("flush", [&] { return write_checkpoint(call); });
}

Status Instance::checkpoint(const std::string& path) {
  SessionGate::Call call(gate_);
  RW_TRY(admission(call, false));
  return guarded("checkpoint", [&] { return copy_to(call, path); });
}

Status Instance::copy_to(SessionGate::Call& call, const std::string& path) {
  const BreakableMutex::Hold hold(copy_mutex_);
  if (!hold) return given_up(false);
  int unavailable = 0;
  NativeSession* const native = session_of(call, unavailable);
  if (native == nullptr) return connection_->no_session(unavailable);
  const auto target = store_->directory.make_target(path);
  if (!target) return target.error();
  // What no log has is in the copy only through this.
  RW_TRY(write_checkpoint(call));
  RW_TRY(connection_->while_whole([&] { return store_->directory.begin_copy(); }));
  const Status copied =
      copy_database(*connection_, *native, store_->directory.real_path(), *target, copies_files_);
  // Where that cannot be done the mark stays, and tells the next opening what to do.
  const Status ended = connection_->while_whole([&] { return store_->directory.end_copy(); });
  RW_TRY(copied);
  RW_TRY(ended);
  return connection_->while_whole([&] { return store_->directory.complete_copy(path); });
}

// Must be called inside the gate.
Estimate Instance::estimate(SessionGate::Call& call, const KeyRange& range) {
  // Not to be looked for where it is known that some cannot be read.
  if (!store_->damage->ranges().empty()) return {};
  int unavailable = 0;
  NativeSession* const native = session_of(call, unavailable);
  if (native == nullptr) return {};
  const Estimate found = estimate_range(*native, range);
  if (take_last_error().is_damage) store_->damage->note(Way::at, range.start, range);
  return found;
}

std::uint64_t Instance::count_rows(SessionGate::Call& call) {
  const BreakableMutex::Hold hold(count_mutex_);
  if (!hold) return 0;
  const std::uint64_t now = written_bytes_.load();
  const bool few = counted_rows_ <= limits::wiredtiger_estimate_rows;
  const bool stale = now - counted_at_bytes_ >= (few ? 1 : recount_after_bytes);
  if (counted_at_bytes_ == UINT64_MAX || stale) {
    counted_rows_ = estimate(call, {}).rows;
    counted_at_bytes_ = now;
  }
  return counted_rows_;
}

std::uint64_t Instance::approximate_bytes(const KeyRange& range) {
  SessionGate::Call call(gate_);
  try {
    if (!admission(call, false).is_ok() || range.is_nothing()) return 0;
    return estimate(call, range).bytes;
  } catch (...) {
    return 0;
  }
}

double Instance::pressure() {
  SessionGate::Call call(gate_);
  try {
    if (!call) return reviving_.load() == Trouble::none ? 0 : 1;
    if (!admission(call, true).is_ok() || store_->space->is_short() || !store_->ballast->is_whole())
      return 1;
    if (connection_->events().lacks_space()) return 1;
    int unavailable = 0;
    NativeSession* const native = session_of(call, unavailable);
    if (native == nullptr) return 1;
    return cache_pressure(read_cache(native->session), store_->options);
  } catch (...) {
    return 1;
  }
}

EngineStats Instance::stats() {
  SessionGate::Call call(gate_);
  EngineStats stats;
  try {
    stats.damaged = store_->damage->ranges();
    if (!admission(call, false).is_ok()) return stats;
    stats.approximate_keys = count_rows(call);
    stats.disk_bytes = directory_bytes(store_->directory.real_path());
    int unavailable = 0;
    NativeSession* const native = session_of(call, unavailable);
    if (native != nullptr) stats.memory_bytes = read_cache(native->session).bytes;
  } catch (...) {
    return stats;
  }
  return stats;
}

void Instance::checkpoint_if_due() {
  SessionGate::Call call(gate_);
  if (!call || connection_->trouble() != Trouble::none || !checkpoint_due()) return;
  const Instant begun = store_->clock->now();
  const std::uint64_t covers = written_bytes_.load();
  const Status done = write_checkpoint(call);
  checkpoint_time_ = store_->clock->now();
  const std::string took = std::to_string((checkpoint_time_ - begun) / milliseconds(1));
  const std::string since = std::to_string(covers - checkpoint_bytes_);
  if (done.is_ok()) checkpoint_bytes_ = covers;
  connection_->events().note("checkpoint of " + since + " written bytes in " + took +
                             " ms: " + (done.is_ok() ? "done" : done.to_string()));
}

bool Instance::checkpoint_due() {
  const WiredtigerOptions& options = store_->options;
  const std::uint64_t since = written_bytes_.load() - checkpoint_bytes_;
  if (since == 0) return false;
  const Instant waited = store_->clock->now() - checkpoint_time_;
  return (options.checkpoint_bytes != 0 && since >= options.checkpoint_bytes) ||
         (options.checkpoint_wait != 0 && waited >= options.checkpoint_wait) ||
         // Gives room, for the log before it can go.
         (store_->space->is_short() && waited >= seconds(1));
}

}  // namespace ringwright
