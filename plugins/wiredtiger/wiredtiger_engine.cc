#include "plugins/wiredtiger/wiredtiger_engine.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "engine/base/guarded.h"
#include "engine/base/limits.h"
#include "engine/iterators.h"
#include "plugins/wiredtiger/backup.h"
#include "plugins/wiredtiger/convert.h"
#include "plugins/wiredtiger/range_iterator.h"

namespace ringwright {
namespace {

// What a write takes in the log beside its keys and rows, roughly.
constexpr std::uint64_t log_record_bytes = 128;
// A guess at the number of many rows is good for as long as this.
constexpr std::uint64_t recount_after_bytes = std::uint64_t{16} << 20;
// Between two attempts of a write that met another.
constexpr std::chrono::microseconds retry_after{100};

using Way = DamagedPlaces::Way;

// Short enough for the string's own buffer: this answer is part of the normal path.
Status would_block_status() { return {Code::would_block, "needs I/O"}; }

bool may_be_retried(int error) { return error == WT_ROLLBACK || error == WT_CACHE_FULL; }

std::uint64_t bytes_of(const WriteBatch& batch) {
  std::uint64_t bytes = log_record_bytes;
  for (const auto& operation : batch.operations())
    bytes += operation.key.size() + operation.value.size();
  return bytes;
}

struct Bounds {
  int error = 0;
  bool empty = false;
};

// Puts the cursors on the first and the last row of a range.
Bounds find_bounds(WT_CURSOR* first, WT_CURSOR* last, const KeyRange& range) {
  int side = 0;
  if (!range.start.empty()) {
    const WT_ITEM start = to_item(range.start);
    first->set_key(first, &start);
    const int error = first->search_near(first, &side);
    if (error != 0) return {error == WT_NOTFOUND ? 0 : error, true};
  }
  int error = range.start.empty() || side < 0 ? first->next(first) : 0;
  if (error != 0) return {error == WT_NOTFOUND ? 0 : error, true};
  side = 0;
  if (!range.stop.empty()) {
    const WT_ITEM stop = to_item(range.stop);
    last->set_key(last, &stop);
    error = last->search_near(last, &side);
    if (error != 0) return {error == WT_NOTFOUND ? 0 : error, true};
  }
  error = range.stop.empty() || side >= 0 ? last->prev(last) : 0;
  if (error != 0) return {error == WT_NOTFOUND ? 0 : error, true};
  WT_ITEM low{};
  WT_ITEM high{};
  error = first->get_key(first, &low);
  if (error == 0) error = last->get_key(last, &high);
  return {error, error == 0 && to_view(low) > to_view(high)};
}

// For the calls that are still inside.
Status abandon(const std::shared_ptr<Instance>& instance) {
  static std::mutex mutex;
  // Never destroyed, for they never leave.
  static auto& abandoned = *new std::vector<std::shared_ptr<Instance>>;
  const std::lock_guard lock(mutex);
  abandoned.push_back(instance);
  return {Code::io_error, "close: WiredTiger has given up, and a call never returned"};
}

}  // namespace

WiredtigerEngine::~WiredtigerEngine() { close().ignore("nobody is left to tell"); }

Capabilities WiredtigerEngine::capabilities() const {
  return {.merge = false, .non_blocking = false, .durability = Durability::disk};
}

Status WiredtigerEngine::open(const EngineContext& context) {
  const std::lock_guard lock(lifecycle_mutex_);
  return guarded("open", [&] { return open_locked(context); });
}

Status WiredtigerEngine::open_locked(const EngineContext& context) {
  if (finished_) return {Code::closed, "engine is not open"};
  if (instance_) return {Code::invalid, "engine wiredtiger is already open"};
  if (!context.disk || context.disk->real_path(context.path).empty())
    return {Code::invalid, "engine wiredtiger keeps files of its own and needs a real disk"};
  auto options = make_wiredtiger_options(context.options, context.durability);
  if (!options) return options.error();
  directory_ = Directory(context.disk, context.path);
  auto lock = directory_.claim();
  if (!lock) return lock.error();

  lock_ = std::move(*lock);
  damage_ = std::make_shared<DamagedPlaces>();
  durability_ = context.durability;
  options_ = std::move(*options);
  ballast_ = std::make_shared<Ballast>(directory_.ballast(), limits::wiredtiger_ballast_bytes);
  ballast_->fill();  // without, no write is taken until there is room
  const auto opened = [&]() -> Status {
    if (durability_ == Durability::none) RW_TRY(recover_for_none(context));
    RW_TRY(reconnect());
    const auto start = directory_.next_start();
    if (!start) return start.error();
    written_.store(*start);
    return ok_status();
  }();
  if (!opened.is_ok()) {
    instance_.reset();
    lock_.reset();
    return opened;
  }
  clock_ = make_system_clock();
  space_.emplace(
      SpaceReserve::Settings{.directory = directory_.real_path(),
                             .look_bytes = limits::free_space_look_bytes,
                             .look_after = limits::free_space_look_after},
      [directory = directory_.real_path()] { return disk_space(directory).free_bytes; }, clock_);
  checkpoint_time_ = clock_->now();
  serves_.store(true);
  gate_.open();
  caretaker_.start([this] {
    guarded("caretaker", [this] {
      tick();
      return ok_status();
    }).ignore("the next tick tries again");
  });
  return ok_status();
}

// Without a log WiredTiger does not look into one that a stronger class has left.
Status WiredtigerEngine::recover_for_none(const EngineContext& context) {
  const auto has_log = directory_.has_log();
  if (!has_log) return has_log.error();
  if (!*has_log) return ok_status();
  const auto with_log = make_wiredtiger_options(context.options, Durability::os);
  if (!with_log) return with_log.error();
  const auto recovered =
      Instance::open(*with_log, directory_.real_path(), lock_, damage_, ballast_, ends_);
  if (!recovered) return recovered.error();
  return (*recovered)->close();
}

Status WiredtigerEngine::reconnect() {
  auto instance = Instance::open(options_, directory_.real_path(), lock_, damage_, ballast_, ends_);
  if (!instance) return instance.error();
  instance_ = std::move(*instance);
  return ok_status();
}

Status WiredtigerEngine::not_open(bool changes) {
  if (!serves_.load()) return {Code::closed, "engine is not open"};
  if (failed_.load(std::memory_order_acquire)) return failure();
  const Trouble trouble = reviving_.load(std::memory_order_acquire);
  // It has been opened since this call did not get in.
  if (trouble == Trouble::none) return {Code::busy, "was just opened again"};
  return troubled(trouble, changes);
}

Status WiredtigerEngine::troubled(Trouble trouble, bool changes) {
  if (durability_ == Durability::none || trouble == Trouble::failed)
    return fail(Code::io_error, {Code::io_error, "WiredTiger has given up; see the file LOG"});
  if (trouble == Trouble::full)
    return changes ? Status(Code::no_space, "disk was full; waiting for free space")
                   : Status(Code::busy, "being opened again: the disk was full");
  return {Code::busy, "being opened again: a damaged block was read"};
}

Status WiredtigerEngine::admission(const CallGate::Pass& pass, bool changes) {
  if (!pass) return not_open(changes);
  if (changes && failed_.load(std::memory_order_acquire)) return failure();
  const Trouble trouble = instance_->trouble();
  return trouble == Trouble::none ? ok_status() : troubled(trouble, changes);
}

WiredtigerEngine::Answers WiredtigerEngine::multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) {
  Answers answers;
  const CallGate::Pass pass(gate_);
  try {
    answers.reserve(keys.size());
    const Status admitted = admission(pass, false);
    if (!admitted.is_ok())
      answers.assign(keys.size(), admitted);
    else if (may_block == MayBlock::no)
      answers.assign(keys.size(), would_block_status());
    else
      get_each(keys, answers);
  } catch (...) {
    answers.assign(keys.size(), exception_status("get"));
  }
  return answers;
}

// Several keys are read in one transaction: without, each search would take a snapshot of its own,
// for which threads meet in the library.
void WiredtigerEngine::get_each(std::span<const Bytes> keys, Answers& answers) {
  const auto lease = instance_->take_session();
  if (!lease) return answers.assign(keys.size(), lease.error());
  WT_SESSION* const session = lease->session();
  WT_CURSOR* const rows = lease->rows();
  const bool together = keys.size() > 1;
  if (together)
    if (const int error = session->begin_transaction(session, nullptr); error != 0)
      return answers.assign(keys.size(), instance_->to_status(error, "get"));
  const auto end = [&] {
    rows->reset(rows);
    if (together) lease->roll_back();
  };
  try {
    for (const Bytes& key : keys) answers.emplace_back(get_one(rows, key));
  } catch (...) {
    end();
    throw;
  }
  end();
}

Result<std::optional<Bytes>> WiredtigerEngine::get_one(WT_CURSOR* rows, const Bytes& key) {
  if (key.empty()) return std::optional<Bytes>();  // cannot have been written
  if (damage_->leads_there(Way::at, key))
    return Status(Code::corrupt, "get " + printable(key) + ": lies in a damaged block");
  const WT_ITEM item = to_item(key);
  rows->set_key(rows, &item);
  int error = rows->search(rows);
  if (error == WT_NOTFOUND) return std::optional<Bytes>();
  WT_ITEM value{};
  if (error == 0) error = rows->get_value(rows, &value);
  if (error == 0) return std::optional<Bytes>(to_view(value));
  Status status = instance_->to_status(error, "get " + printable(key));
  if (status.code() == Code::corrupt) damage_->note(Way::at, key, range_of_key(key));
  return status;
}

Result<std::uint64_t> WiredtigerEngine::write(const WriteBatch& batch, MayBlock may_block) {
  const CallGate::Pass pass(gate_);
  RW_TRY(admission(pass, true));
  if (may_block == MayBlock::no) return would_block_status();
  try {
    return write_admitted(batch);
  } catch (...) {
    return fail(Code::in_doubt, exception_status("write"));
  }
}

Status WiredtigerEngine::check_batch(const WriteBatch& batch) {
  for (const WriteBatch::Operation& operation : batch.operations()) {
    if (operation.kind == WriteBatch::Kind::merge)
      return {Code::invalid, "engine wiredtiger does not merge"};
    if (operation.key.empty() && operation.kind == WriteBatch::Kind::put)
      return {Code::invalid, "engine wiredtiger has no empty keys"};
    if (damage_->leads_there(Way::at, operation.key))
      return {Code::corrupt, "write " + printable(operation.key) + ": lies in a damaged block"};
  }
  return ok_status();
}

Result<std::uint64_t> WiredtigerEngine::write_admitted(const WriteBatch& batch) {
  if (batch.empty()) return written_.load();
  RW_TRY(check_batch(batch));
  const std::uint64_t bytes = bytes_of(batch);
  RW_TRY(check_space(bytes));
  const auto lease = instance_->take_session();
  if (!lease) return lease.error();
  Instant deadline = 0;
  while (true) {
    Reach reach = Reach::nothing;
    const Bytes* touched = nullptr;
    int error = apply(*lease, batch, reach, touched);
    if (error == 0) {
      const std::lock_guard lock(commit_mutex_);
      reach = Reach::commit;
      error = commit(*lease, bytes);
      if (error == 0) return written_.fetch_add(1) + 1;
    }
    if (!may_be_retried(error)) return write_failure(error, reach, touched);
    const Instant now = clock_->now();
    if (deadline == 0) deadline = now + limits::wiredtiger_write_deadline;
    if (now >= deadline) return write_failure(error, reach, touched);
    std::this_thread::sleep_for(retry_after);
  }
}

// Leaves the transaction open, or on an error undone.
int WiredtigerEngine::apply(const SessionPool::Lease& lease, const WriteBatch& batch, Reach& reach,
                            const Bytes*& touched) {
  WT_SESSION* const session = lease.session();
  WT_CURSOR* const rows = lease.rows();
  reach = Reach::nothing;
  int error = session->begin_transaction(session, nullptr);
  if (error != 0) return error;
  for (const WriteBatch::Operation& operation : batch.operations()) {
    if (operation.key.empty()) continue;  // removes what cannot be there
    touched = &operation.key;
    const WT_ITEM key = to_item(operation.key);
    rows->set_key(rows, &key);
    if (operation.kind == WriteBatch::Kind::put) {
      const WT_ITEM value = to_item(operation.value);
      rows->set_value(rows, &value);
      error = rows->insert(rows);
    } else {
      error = rows->remove(rows);
      if (error == WT_NOTFOUND) error = 0;
    }
    if (error != 0) break;
  }
  rows->reset(rows);
  if (error != 0) lease.roll_back();
  return error;
}

// Under the commit mutex. A commit that fails has been undone in memory, whatever the log holds.
int WiredtigerEngine::commit(const SessionPool::Lease& lease, std::uint64_t bytes) {
  written_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  const int error = lease.session()->commit_transaction(lease.session(), nullptr);
  // After a panic elsewhere it was not even tried.
  if (error == WT_PANIC) lease.roll_back();
  return error;
}

Status WiredtigerEngine::write_failure(int error, Reach reach, const Bytes* touched) {
  Status cause = instance_->to_status(error, "write");
  if (may_be_retried(error)) return {Code::busy, cause.message()};
  if (reach == Reach::commit) {
    // A log record that did not fit is torn, and dropped by the recovery that must come now; but
    // who knows.
    if (instance_->trouble() == Trouble::full && durability_ != Durability::none)
      return {Code::in_doubt, cause.message()};
    return fail(Code::in_doubt, cause);
  }
  if (cause.code() == Code::corrupt && touched != nullptr)
    damage_->note(Way::at, *touched, range_of_key(*touched));
  return cause;
}

// Room is kept for what the cache must still write, because the library panics without.
Status WiredtigerEngine::check_space(std::uint64_t bytes) {
  if (instance_->events().lacks_space()) return space_->refuse();
  const auto needed = [&] {
    return limits::wiredtiger_free_bytes_min + dirty_bytes() + ballast_->missing_bytes();
  };
  if (ballast_->is_whole()) return space_->admit(bytes, needed);
  RW_TRY(space_->look(bytes, needed()));
  return ballast_->fill() ? ok_status() : space_->refuse();
}

std::uint64_t WiredtigerEngine::dirty_bytes() {
  const auto lease = instance_->take_session();
  return lease ? read_cache(lease->session()).dirty_bytes : 0;
}

Status WiredtigerEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  const CallGate::Pass pass(gate_);
  const bool at_once = durability_ != Durability::disk && pass && !failed_.load();
  if (at_once) return ok_status();
  RW_TRY(admission(pass, true));
  if (sequence <= synced_through_.load(std::memory_order_acquire)) return ok_status();
  if (may_block == MayBlock::no) return would_block_status();
  return guarded("sync", [&] { return sync_through(sequence); });
}

Status WiredtigerEngine::sync_through(std::uint64_t sequence) {
  const std::lock_guard lock(sync_mutex_);
  if (failed_.load(std::memory_order_acquire)) return failure();
  // Another thread's sync may have covered this one while it waited.
  if (sequence <= synced_through_.load(std::memory_order_acquire)) return ok_status();
  const std::uint64_t covered = written_.load();
  const auto lease = instance_->take_session();
  if (!lease) return lease.error();
  const int error = lease->session()->log_flush(lease->session(), "sync=on");
  // Beside a sync that failed this one may have found nothing left to do.
  if (error == 0 && instance_->trouble() == Trouble::failed)
    return fail(Code::io_error, {Code::io_error, "sync: one beside it failed"});
  if (error != 0) {
    const Status cause = instance_->to_status(error, "sync");
    return cause.code() == Code::no_space ? cause : fail(Code::io_error, cause);
  }
  synced_through_.store(covered, std::memory_order_release);
  return ok_status();
}

std::unique_ptr<Iterator> WiredtigerEngine::iterate(const KeyRange& range, Direction direction) {
  const CallGate::Pass pass(gate_);
  try {
    Status admitted = admission(pass, false);
    if (!admitted.is_ok()) return make_empty_iterator(std::move(admitted));
    return make_range_iterator(instance_, range, direction);
  } catch (...) {
    return make_empty_iterator(exception_status("iterate"));
  }
}

Status WiredtigerEngine::drop_range(const KeyRange& range) {
  const CallGate::Pass pass(gate_);
  RW_TRY(admission(pass, true));
  return guarded("drop range", [&]() -> Status {
    if (range.is_nothing()) return ok_status();
    RW_TRY(check_space(log_record_bytes + range.start.size() + range.stop.size()));
    const auto dropped = drop_admitted(range);
    if (!dropped) return dropped.error();
    return durability_ == Durability::disk ? sync_through(*dropped) : ok_status();
  });
}

// The commit mutex is held from before the snapshot on: a row that another write commits in between
// would survive here, and not a recovery, which drops all that stands in the log before.
Result<std::uint64_t> WiredtigerEngine::drop_admitted(const KeyRange& range) {
  const auto lease = instance_->take_session();
  if (!lease) return lease.error();
  const Instant deadline = clock_->now() + limits::wiredtiger_write_deadline;
  while (true) {
    Reach reach = Reach::nothing;
    int error = 0;
    {
      const std::lock_guard lock(commit_mutex_);
      error = drop_once(*lease, range, reach);
      if (error == 0) return written_.fetch_add(1) + 1;
    }
    if (!may_be_retried(error) || clock_->now() >= deadline)
      return write_failure(error, reach, nullptr);
    std::this_thread::sleep_for(retry_after);
  }
}

int WiredtigerEngine::drop_once(const SessionPool::Lease& lease, const KeyRange& range,
                                Reach& reach) {
  WT_SESSION* const session = lease.session();
  int error = session->begin_transaction(session, nullptr);
  if (error != 0) return error;
  WT_CURSOR* first = nullptr;
  WT_CURSOR* last = nullptr;
  const auto end = [&](int result) {
    if (first != nullptr) first->close(first);
    if (last != nullptr) last->close(last);
    if (result == 0) {
      reach = Reach::commit;
      return commit(lease, log_record_bytes);
    }
    lease.roll_back();
    return result;
  };
  error = session->open_cursor(session, rows_table, nullptr, nullptr, &first);
  if (error == 0) error = session->open_cursor(session, rows_table, nullptr, nullptr, &last);
  if (error != 0) return end(error);
  const Bounds bounds = find_bounds(first, last, range);
  if (bounds.error != 0) return end(bounds.error);
  if (bounds.empty) return end(0);
  return end(session->truncate(session, nullptr, first, last, nullptr));
}

// Not begun where it may not come to its end: a checkpoint that failed is not tried again.
Status WiredtigerEngine::write_checkpoint() {
  const std::uint64_t room = ballast_->held_bytes() + disk_space(directory_.real_path()).free_bytes;
  if (room < dirty_bytes() + limits::wiredtiger_checkpoint_bytes)
    return {Code::no_space,
            "checkpoint: disk of '" + directory_.real_path() + "' is full: free some space"};
  const auto lease = instance_->take_session();
  if (!lease) return lease.error();
  const int error = lease->session()->checkpoint(lease->session(), nullptr);
  return instance_->to_status(error, "checkpoint");
}

Status WiredtigerEngine::flush() {
  const CallGate::Pass pass(gate_);
  RW_TRY(admission(pass, true));
  return guarded("flush", [&] { return write_checkpoint(); });
}

Status WiredtigerEngine::checkpoint(const std::string& path) {
  const CallGate::Pass pass(gate_);
  RW_TRY(admission(pass, false));
  return guarded("checkpoint", [&] { return copy_to(path); });
}

Status WiredtigerEngine::copy_to(const std::string& path) {
  const std::lock_guard lock(backup_mutex_);
  const auto target = directory_.make_target(path);
  if (!target) return target.error();
  // What no log has is in the copy only through this.
  RW_TRY(write_checkpoint());
  RW_TRY(directory_.begin_copy());
  const Status copied = copy_database(*instance_, directory_.real_path(), *target);
  RW_TRY(directory_.end_copy());
  RW_TRY(copied);
  return directory_.complete_copy(path);
}

// Must be called inside the gate.
Estimate WiredtigerEngine::estimate(const KeyRange& range) {
  // Not to be looked for where it is known that some cannot be read.
  if (!damage_->ranges().empty()) return {};
  const auto lease = instance_->take_session();
  if (!lease) return {};
  const Estimate found = estimate_range(*lease, range);
  if (instance_->trouble() == Trouble::corrupt) damage_->note(Way::at, range.start, range);
  return found;
}

std::uint64_t WiredtigerEngine::count_rows() {
  const std::lock_guard lock(count_mutex_);
  const std::uint64_t now = written_bytes_.load();
  const bool few = counted_rows_ <= limits::wiredtiger_estimate_rows;
  const bool stale = now - counted_at_bytes_ >= (few ? 1 : recount_after_bytes);
  if (counted_at_bytes_ == UINT64_MAX || stale) {
    counted_rows_ = estimate({}).rows;
    counted_at_bytes_ = now;
  }
  return counted_rows_;
}

std::uint64_t WiredtigerEngine::approximate_bytes(const KeyRange& range) {
  const CallGate::Pass pass(gate_);
  try {
    if (!admission(pass, false).is_ok() || range.is_nothing()) return 0;
    return estimate(range).bytes;
  } catch (...) {
    return 0;
  }
}

double WiredtigerEngine::pressure() {
  const CallGate::Pass pass(gate_);
  try {
    if (!pass) return reviving_.load() == Trouble::none ? 0 : 1;
    if (!admission(pass, true).is_ok() || space_->is_short() || !ballast_->is_whole()) return 1;
    if (instance_->events().lacks_space()) return 1;
    const auto lease = instance_->take_session();
    if (!lease) return 1;
    return cache_pressure(read_cache(lease->session()), options_);
  } catch (...) {
    return 1;
  }
}

EngineStats WiredtigerEngine::stats() {
  const CallGate::Pass pass(gate_);
  EngineStats stats;
  try {
    if (damage_) stats.damaged = damage_->ranges();
    if (!admission(pass, false).is_ok()) return stats;
    stats.approximate_keys = count_rows();
    stats.disk_bytes = directory_bytes(directory_.real_path());
    const auto lease = instance_->take_session();
    if (lease) stats.memory_bytes = read_cache(lease->session()).bytes;
  } catch (...) {
    return stats;
  }
  return stats;
}

void WiredtigerEngine::tick() {
  {
    const CallGate::Pass pass(gate_);
    if (pass && instance_->trouble() == Trouble::none) {
      if (!checkpoint_due()) return;
      const Instant begun = clock_->now();
      const std::uint64_t covers = written_bytes_.load();
      const Status done = write_checkpoint();
      checkpoint_time_ = clock_->now();
      const std::string took = std::to_string((checkpoint_time_ - begun) / milliseconds(1));
      const std::string since = std::to_string(covers - checkpoint_bytes_);
      if (done.is_ok()) checkpoint_bytes_ = covers;
      instance_->events().note("checkpoint of " + since + " written bytes in " + took +
                               " ms: " + (done.is_ok() ? "done" : done.to_string()));
      return;
    }
  }
  revive();
}

bool WiredtigerEngine::checkpoint_due() {
  const std::uint64_t since = written_bytes_.load() - checkpoint_bytes_;
  if (since == 0) return false;
  const Instant waited = clock_->now() - checkpoint_time_;
  const bool due = (options_.checkpoint_bytes != 0 && since >= options_.checkpoint_bytes) ||
                   (options_.checkpoint_wait != 0 && waited >= options_.checkpoint_wait) ||
                   // Gives room, for the log before it can go.
                   (space_->is_short() && waited >= seconds(1));
  return due;
}

// Opens the connection again after a panic that is no reason to mistrust the disk. Every write that
// was acknowledged is in the log, in the system's hands at least.
void WiredtigerEngine::revive() {
  const std::lock_guard lock(lifecycle_mutex_);
  if (finished_ || failed_.load() || durability_ == Durability::none) return;
  if (instance_) {
    const Trouble trouble = instance_->trouble();
    if (trouble == Trouble::none || trouble == Trouble::failed) return;
    // A copy may take long, and is no call that never returns.
    const std::unique_lock copying(backup_mutex_, std::try_to_lock);
    if (!copying) return;
    const std::uint64_t free = disk_space(directory_.real_path()).free_bytes;
    if (free < limits::wiredtiger_free_bytes_min + ballast_->missing_bytes()) return;
    if (!ballast_->fill()) return;
    reviving_.store(trouble, std::memory_order_release);
    if (!shut_gate()) {
      fail(Code::io_error, {Code::io_error, "WiredTiger has given up, and a call never returned"})
          .ignore("later calls tell");
      return;
    }
    // An iterator keeps the connection: its owner must see the error and let go first.
    if (instance_.use_count() > 1) return gate_.open();
    const Status closed = instance_->close();
    instance_.reset();
    if (!closed.is_ok()) return fail(Code::io_error, closed).ignore("later calls tell");
  }
  const Status opened = reconnect();
  if (opened.is_ok()) {
    space_->expect_look();
    gate_.open();
    reviving_.store(Trouble::none, std::memory_order_release);
    return;
  }
  if (opened.code() != Code::no_space) fail(Code::io_error, opened).ignore("later calls tell");
}

// False when WiredTiger has given up and a call is still inside: it waits there for what nobody
// will do. All that it holds stays as it is, then, until the process ends.
bool WiredtigerEngine::shut_gate() {
  while (instance_ && instance_->trouble() == Trouble::none)
    if (gate_.shut_within(limits::wiredtiger_close_deadline)) return true;
  if (instance_) instance_->sever();
  return gate_.shut_within(limits::wiredtiger_close_deadline);
}

// Its checkpoint may be what waits in WiredTiger without end.
void WiredtigerEngine::stop_caretaker() {
  const auto gave_up = [this] {
    const std::lock_guard lock(lifecycle_mutex_);
    if (!instance_ || instance_->trouble() == Trouble::none) return false;
    instance_->sever();
    return true;
  };
  bool last = false;
  while (!caretaker_.stop_within(limits::wiredtiger_close_deadline)) {
    if (last) return caretaker_.leave();
    last = gave_up();
  }
}

Status WiredtigerEngine::close() {
  ends_->store(true);
  {
    const std::lock_guard lock(lifecycle_mutex_);
    finished_ = true;
  }
  stop_caretaker();
  const std::lock_guard lock(lifecycle_mutex_);
  return guarded("close", [&]() -> Status {
    serves_.store(false);
    const bool is_empty = shut_gate();
    reviving_.store(Trouble::none);
    if (!is_empty) return abandon(instance_);
    const std::shared_ptr<Instance> instance = std::exchange(instance_, nullptr);
    lock_.reset();
    if (!instance) return ok_status();
    instance->retire();
    // With iterators left, the last of them closes the connection.
    if (instance.use_count() > 1) return ok_status();
    return instance->close();
  });
}

Status WiredtigerEngine::fail(Code code, const Status& cause) {
  {
    const std::lock_guard lock(failure_mutex_);
    if (failure_message_.empty())
      failure_message_ = "takes no more writes since a failure; reopen: " + cause.message();
  }
  failed_.store(true, std::memory_order_release);
  return {code, cause.message()};
}

Status WiredtigerEngine::failure() const {
  const std::lock_guard lock(failure_mutex_);
  return {Code::io_error, failure_message_};
}

}  // namespace ringwright
