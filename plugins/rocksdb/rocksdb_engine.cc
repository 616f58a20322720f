#include "plugins/rocksdb/rocksdb_engine.h"

#include <rocksdb/env.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "engine/base/guarded.h"
#include "engine/base/limits.h"
#include "engine/engine_directory.h"
#include "engine/iterators.h"
#include "plugins/rocksdb/convert.h"
#include "plugins/rocksdb/info_log.h"
#include "plugins/rocksdb/log_watch.h"
#include "plugins/rocksdb/merge_operator.h"
#include "plugins/rocksdb/options.h"
#include "plugins/rocksdb/range_iterator.h"

namespace ringwright {
namespace {

constexpr std::uint32_t directory_format = 1;
// RocksDB cuts a MultiGet into pieces of this size anyway.
constexpr std::size_t multi_get_piece = 32;
// Below this, setting a MultiGet up costs more than it saves.
constexpr std::size_t multi_get_keys_min = 4;
// A thread keeps its batch buffer between writes unless it has grown beyond this.
constexpr std::size_t kept_batch_bytes_max = 256 * 1024;
// What a dropped range takes in the log beside its keys, roughly.
constexpr std::uint64_t log_record_bytes = 64;
// Parts of a memtable: what is left free beside what is known to be needed, and what may be written
// before the free space is looked at again. A memtable is rarely full just between two looks.
constexpr std::uint64_t free_part_of_memtable = 8;
constexpr std::uint64_t look_part_of_memtable = 64;
// How often a writer whom RocksDB has refused asks again.
constexpr std::chrono::milliseconds stall_poll{1};
// From here on RocksDB delays or is about to delay writers.
constexpr double pressure_at_slowdown = 0.7;

Status closed_status() { return {Code::closed, "engine is not open"}; }
// Short enough for the string's own buffer: this answer is part of the normal path.
Status would_block_status() { return {Code::would_block, "needs I/O"}; }

// The number of the table in a message such as "... in /data/000012.sst offset 0 size 40".
std::optional<std::uint64_t> table_number(std::string_view message) {
  const std::size_t end = message.find(".sst");
  if (end == message.npos) return std::nullopt;
  const std::string_view before = message.substr(0, end);
  const std::size_t first = before.find_last_not_of("0123456789") + 1;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(before.data() + first, before.data() + end, number);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

// RocksDB takes a directory without the file CURRENT for a new database and would silently begin
// again over tables and logs that somebody still needs.
Status check_not_headless(const std::string& directory) {
  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::Env::Default()->GetChildren(directory, &names);
  if (listed.IsNotFound()) return ok_status();
  if (!listed.ok()) return to_status(listed, "list '" + directory + "'");
  bool has_data = false;
  for (const std::string& name : names) {
    if (name == "CURRENT") return ok_status();
    has_data = has_data || name.ends_with(".sst") || name.ends_with(".log");
  }
  if (!has_data) return ok_status();
  return {Code::corrupt, "directory '" + directory + "' has tables or logs but no file CURRENT"};
}

// What RocksDB sets aside when it begins a log.
std::uint64_t new_log_bytes(const rocksdb::Options& options) {
  std::uint64_t bytes = options.write_buffer_size + options.write_buffer_size / 10;
  if (options.max_total_wal_size > 0) bytes = std::min(bytes, options.max_total_wal_size);
  if (options.db_write_buffer_size > 0)
    bytes = std::min<std::uint64_t>(bytes, options.db_write_buffer_size);
  return bytes;
}

// The parent of a path with '/' between its parts; empty for a single part.
std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// Grows from 0 to `pressure_at_slowdown` up to the first bound, then to 1 at the second.
double between_bounds(double value, double slowdown, double stop) {
  if (slowdown <= 0) return 0;
  if (value <= slowdown) return pressure_at_slowdown * value / slowdown;
  if (stop <= slowdown) return 1;
  const double beyond = (value - slowdown) / (stop - slowdown);
  return std::min(1.0, pressure_at_slowdown + (1 - pressure_at_slowdown) * beyond);
}

// What RocksDB answers, in words only, when it meets a log in which a write has failed.
bool met_a_failed_log(const rocksdb::Status& native) {
  if (!native.IsIOError()) return false;
  const std::string text = native.ToString();
  return text.find("Writer has previous error") != text.npos ||
         text.find("Seen error. Skip writing buffer") != text.npos;
}

// A sync that a full disk has hindered without losing a page: it had no room to note several synced
// logs in the manifest. One whose fdatasync found the disk full may have lost pages.
bool is_hindered_sync(const rocksdb::Status& native) {
  const std::string text = native.ToString();
  // What was done stands before the path.
  return native.IsNoSpace() && text.substr(0, text.find('/')).find("sync") == text.npos;
}

// A stalled write that finds RocksDB stopped by an error tells it in words only.
bool waited_for_a_full_disk(const rocksdb::Status& native) {
  return native.IsIncomplete() &&
         native.ToString().find(rocksdb::Status::NoSpace().ToString()) != std::string::npos;
}

// With `allow_write_stall`: otherwise a flush waits until it stalls no writer, with no end where
// compactions lack room.
rocksdb::FlushOptions flush_options() {
  rocksdb::FlushOptions options;
  options.allow_write_stall = true;
  return options;
}

rocksdb::WriteBatch& cleared_batch() {
  static thread_local rocksdb::WriteBatch batch;
  if (batch.GetDataSize() > kept_batch_bytes_max) batch = rocksdb::WriteBatch();
  batch.Clear();
  return batch;
}

rocksdb::Status append_to(rocksdb::WriteBatch& target, const WriteBatch::Operation& operation) {
  switch (operation.kind) {
    case WriteBatch::Kind::put:
      return target.Put(to_slice(operation.key), to_slice(operation.value));
    case WriteBatch::Kind::remove:
      return target.Delete(to_slice(operation.key));
    case WriteBatch::Kind::merge:
      return target.Merge(to_slice(operation.key), to_slice(operation.value));
  }
  return rocksdb::Status::InvalidArgument("unknown kind of operation");
}

}  // namespace

RocksdbEngine::~RocksdbEngine() { close().ignore("nobody is left to tell"); }

Capabilities RocksdbEngine::capabilities() const {
  return {.merge = merges_, .non_blocking = true, .durability = Durability::disk};
}

Status RocksdbEngine::open(const EngineContext& context) {
  const std::lock_guard lock(lifecycle_mutex_);
  return guarded("open", [&] { return open_locked(context); });
}

Status RocksdbEngine::open_locked(const EngineContext& context) {
  if (finished_) return closed_status();
  if (instance_) return {Code::invalid, "engine rocksdb is already open"};
  const std::string directory = context.disk ? context.disk->real_path(context.path) : "";
  if (directory.empty())
    return {Code::invalid, "engine rocksdb keeps files of its own and needs a real disk"};
  auto options = make_rocksdb_options(
      context.options, context.policy ? make_merge_operator(context.policy) : nullptr);
  if (!options) return options.error();
  RW_TRY(context.disk->make_directories(context.path));
  auto lock = context.disk->lock(context.path);
  if (!lock) return lock.error();
  RW_TRY(claim_engine_directory(*context.disk, context.path, name(), directory_format));
  RW_TRY(check_not_headless(directory));

  options->info_log = make_info_log(directory, options->max_log_file_size, options->info_log_level);
  options_ = std::move(*options);
  directory_ = directory;
  durability_ = context.durability;
  damage_ = std::make_shared<DamageBook>();
  if (durability_ == Durability::none) {
    room_wait_ = std::make_shared<RoomWait>(
        directory_, [this] { out_of_space_.store(true, std::memory_order_release); });
  }
  RW_TRY(connect(*lock));
  if (durability_ != Durability::none) {
    const Status begun = begin_log();
    if (!begun.is_ok()) {
      db_ = nullptr;
      instance_.reset();
      return begun;
    }
  }
  // Each numbered write takes at least one of RocksDB's own numbers, so ours never repeat.
  written_.store(db_->GetLatestSequenceNumber());
  disk_ = context.disk;
  path_ = context.path;
  prepare_calls(context);
  if (room_wait_) {
    flush_thread_.emplace(*db_, flush_options());
    room_wait_->begin(db_->GetOptions().max_background_jobs);
  }
  serves_.store(true);
  gate_.open();
  return ok_status();
}

void RocksdbEngine::make_environment(Instance& instance) {
  std::shared_ptr<rocksdb::FileSystem> files = room_wait_;
  if (!room_wait_) {
    instance.files = std::make_shared<SeverableFiles>();
    files = std::make_shared<LogWatch>(instance.files, directory_, [this] { note_full_log(); });
  }
  instance.environment = rocksdb::NewCompositeEnv(std::move(files));
  options_.env = instance.environment.get();
  options_.listeners = {instance.space_errors};
  if (room_wait_) options_.listeners.push_back(room_wait_->listener());
}

// Opens the database, which recovers it. Takes the directory's lock if that succeeds.
Status RocksdbEngine::connect(std::unique_ptr<DirectoryLock>& lock) {
  auto instance = std::make_shared<Instance>();
  instance->damage = damage_;
  make_environment(*instance);
  options_.wal_filter = &instance->log_continuity;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(options_, directory_, &db);
  instance->db.reset(db);
  if (!opened.ok()) return to_open_status(opened, directory_);
  if (const std::uint64_t left_out = instance->log_continuity.batches_left_out(); left_out > 0)
    rocksdb::Warn(options_.info_log,
                  "left out %llu batches that lay behind a hole in the unsynced part of the logs",
                  static_cast<unsigned long long>(left_out));
  instance->look_for_dropped_ranges();
  instance->lock = std::move(lock);
  instance_ = std::move(instance);
  db_ = db;
  return ok_status();
}

// The first record of a new log: a range without keys, which takes a number and drops nothing. It
// says durably with which number the log begins; a hole there would else go unseen, because nothing
// comes before it in the logs that a recovery reads.
Status RocksdbEngine::begin_log() {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const rocksdb::Slice key("begin");
  return to_status_here(db_->DeleteRange(synced, db_->DefaultColumnFamily(), key, key),
                        "begin the log");
}

void RocksdbEngine::prepare_calls(const EngineContext& context) {
  merges_ = context.policy != nullptr;
  cached_read_ = blocking_read_;
  cached_read_.read_tier = rocksdb::kBlockCacheTier;
  blocking_write_.disableWAL = durability_ == Durability::none;
  unstalled_write_ = blocking_write_;
  unstalled_write_.no_slowdown = true;

  // As RocksDB has corrected them.
  const rocksdb::Options actual = db_->GetOptions();
  stall_.level0_slowdown = actual.level0_slowdown_writes_trigger;
  stall_.level0_stop = actual.level0_stop_writes_trigger;
  stall_.pending_bytes_slowdown = actual.soft_pending_compaction_bytes_limit;
  stall_.pending_bytes_stop = actual.hard_pending_compaction_bytes_limit;
  stall_.write_buffer_bytes = actual.write_buffer_size;
  stall_.write_buffers = static_cast<std::uint64_t>(std::max(1, actual.max_write_buffer_number));
  keep_space(actual);
}

void RocksdbEngine::keep_space(const rocksdb::Options& actual) {
  const std::uint64_t memtable = actual.write_buffer_size;
  const std::uint64_t log = durability_ == Durability::none ? 0 : new_log_bytes(actual);
  const std::uint64_t most = disk_space(directory_).all_bytes / limits::rocksdb_free_part_of_disk;
  space_margin_ =
      std::min(most, std::clamp(memtable / free_part_of_memtable, limits::rocksdb_free_bytes_min,
                                limits::rocksdb_free_bytes_max));
  space_kept_ = std::min(most, log + space_margin_);
  space_.emplace(
      SpaceReserve::Settings{
          .directory = directory_,
          .advice = ", or set a smaller write_buffer_size",
          .look_bytes = std::min(memtable / look_part_of_memtable, limits::free_space_look_bytes),
          .look_after = limits::free_space_look_after},
      [directory = directory_] { return disk_space(directory).free_bytes; }, make_coarse_clock());
}

// In tables, where a recovery has moved everything.
void RocksdbEngine::Instance::look_for_dropped_ranges() {
  rocksdb::TablePropertiesCollection tables;
  bool found = !db->GetPropertiesOfAllTables(&tables).ok();
  for (const auto& [path, properties] : tables)
    found = found || properties->num_range_deletions > 0;
  may_have_dropped_ranges.store(found);
}

// A table that cannot be read in one place is not to be trusted in others; without a table's name
// it is the key alone.
void RocksdbEngine::Instance::note_damage(const rocksdb::Status& native, ByteView key) {
  if (const auto number = table_number(native.ToString())) {
    std::vector<rocksdb::LiveFileMetaData> tables;
    db->GetLiveFilesMetaData(&tables);
    for (const auto& table : tables)
      if (table.file_number == *number)
        return damage->note({table.smallestkey, table.largestkey + '\0'});
  }
  if (!key.empty()) damage->note(range_of_key(key));
}

Status RocksdbEngine::read_failure(const rocksdb::Status& native, ByteView key) {
  if (native.IsIncomplete()) return would_block_status();
  if (native.IsCorruption()) instance_->note_damage(native, key);
  return to_status(native, "get " + printable(key));
}

RocksdbEngine::Answers RocksdbEngine::multi_get(std::span<const Bytes> keys, MayBlock may_block) {
  Answers answers;
  try {
    while (!read(keys, may_block, answers)) {
      if (may_block == MayBlock::yes && await_reopening()) continue;
      answers.assign(keys.size(), not_open(may_block, Code::busy));
      break;
    }
  } catch (...) {
    answers.assign(keys.size(), exception_status("get"));
  }
  return answers;
}

// False when the gate is shut.
bool RocksdbEngine::read(std::span<const Bytes> keys, MayBlock may_block, Answers& answers) {
  const CallGate::Pass pass(gate_);
  if (!pass) return false;
  answers.reserve(keys.size());
  if (may_block == MayBlock::no) {
    // RocksDB's MultiGet reads files whatever its read tier is (seen in 7.8.3); Get does not.
    get_each(keys, cached_read_, answers);
  } else if (keys.size() < multi_get_keys_min) {
    get_each(keys, blocking_read_, answers);
  } else {
    get_together(keys, answers);
  }
  return true;
}

void RocksdbEngine::get_each(std::span<const Bytes> keys, const rocksdb::ReadOptions& options,
                             Answers& answers) {
  rocksdb::ColumnFamilyHandle* const family = db_->DefaultColumnFamily();
  for (const Bytes& key : keys) {
    Bytes value;
    const rocksdb::Status status = db_->Get(options, family, to_slice(key), &value);
    if (status.ok())
      answers.emplace_back(std::optional<Bytes>(std::move(value)));
    else if (status.IsNotFound())
      answers.emplace_back(std::optional<Bytes>());
    else
      answers.emplace_back(read_failure(status, key));
  }
}

void RocksdbEngine::get_together(std::span<const Bytes> keys, Answers& answers) {
  rocksdb::ColumnFamilyHandle* const family = db_->DefaultColumnFamily();
  std::array<rocksdb::Slice, multi_get_piece> slices;
  for (std::size_t first = 0; first < keys.size(); first += multi_get_piece) {
    const auto piece = keys.subspan(first, std::min(multi_get_piece, keys.size() - first));
    std::array<rocksdb::PinnableSlice, multi_get_piece> values;
    std::array<rocksdb::Status, multi_get_piece> statuses;
    std::transform(piece.begin(), piece.end(), slices.begin(), to_slice);
    db_->MultiGet(blocking_read_, family, piece.size(), slices.data(), values.data(),
                  statuses.data());
    for (std::size_t i = 0; i < piece.size(); ++i) {
      if (statuses[i].ok())
        answers.emplace_back(std::optional<Bytes>(values[i].ToString()));
      else if (statuses[i].IsNotFound())
        answers.emplace_back(std::optional<Bytes>());
      else
        answers.emplace_back(read_failure(statuses[i], piece[i]));
    }
  }
}

Result<std::uint64_t> RocksdbEngine::write(const WriteBatch& batch, MayBlock may_block) {
  if (out_of_space_.load(std::memory_order_acquire)) {
    if (may_block == MayBlock::no) return would_block_status();
    RW_TRY(guarded("write", [&] { return revive(); }));
  }
  const CallGate::Pass pass(gate_);
  if (!pass) return not_open(may_block, Code::no_space);
  if (failed_.load(std::memory_order_acquire)) return failure();
  try {
    return write_admitted(batch, may_block);
  } catch (...) {
    return fail(Code::in_doubt, exception_status("write"));
  }
}

Result<std::uint64_t> RocksdbEngine::write_admitted(const WriteBatch& batch, MayBlock may_block) {
  if (batch.empty()) return written_.load();
  rocksdb::WriteBatch& native = cleared_batch();
  for (const WriteBatch::Operation& operation : batch.operations()) {
    if (operation.kind == WriteBatch::Kind::merge && !merges_)
      return Status(Code::invalid, "merge needs a record policy, and none was given at open");
    const rocksdb::Status appended = append_to(native, operation);
    if (!appended.ok()) return to_status(appended, "write " + printable(operation.key));
  }
  RW_TRY(check_space(native.GetDataSize()));
  const rocksdb::Status status =
      write_native(may_block, [&](const auto& options) { return db_->Write(options, &native); });
  if (status.ok()) return written_.fetch_add(1) + 1;
  return write_failure(status, "write");
}

// A writer whom RocksDB has stopped must not wait for room within it: nobody would say that the
// disk is full. One whom it merely delays waits there, for RocksDB counts each try as a write.
template <typename Write>
rocksdb::Status RocksdbEngine::write_native(MayBlock may_block, const Write& write) {
  if (may_block == MayBlock::no) return write(unstalled_write_);
  for (;;) {
    const rocksdb::Status status = write(unstalled_write_);
    if (!status.IsIncomplete() || waited_for_a_full_disk(status)) return status;
    if (property(rocksdb::DB::Properties::kIsWriteStopped) == 0) return write(blocking_write_);
    if (!serves_.load()) return rocksdb::Status::ShutdownInProgress();
    // No error of the database's own, see `write_failure`.
    if (lacks_room()) return rocksdb::Status::SpaceLimit("no room for what was written before");
    std::this_thread::sleep_for(stall_poll);
  }
}

// The background, just now.
bool RocksdbEngine::lacks_room() const {
  return instance_->space_errors->compaction_lacks_room() ||
         (room_wait_ && room_wait_->is_waiting());
}

// Another thread's write may have met the full disk, which RocksDB does not always say.
Status RocksdbEngine::to_status_here(const rocksdb::Status& native, std::string_view what) const {
  const Status status = to_status(native, what);
  const bool is_full =
      waited_for_a_full_disk(native) || (out_of_space_.load() && met_a_failed_log(native));
  return is_full ? Status(Code::no_space, status.message()) : status;
}

Status RocksdbEngine::write_failure(const rocksdb::Status& native, std::string_view what) {
  const Status cause = to_status_here(native, what);
  switch (cause.code()) {
    case Code::no_space:
      // Nothing to open anew for: it was not begun.
      if (native.subcode() == rocksdb::Status::kSpaceLimit) return cause;
      // At most torn in the log, where the next recovery drops it.
      out_of_space_.store(true, std::memory_order_release);
      return cause;
    case Code::would_block:
    case Code::busy:
    case Code::invalid:
    case Code::closed:
      return cause;  // refused before the log was touched
    default:
      return fail(Code::in_doubt, cause);
  }
}

// Why a call did not get in. Whether that is over by now makes no difference.
Status RocksdbEngine::not_open(MayBlock may_block, Code refusal) const {
  if (!serves_.load()) return closed_status();
  if (failed_.load(std::memory_order_acquire)) return failure();
  if (may_block == MayBlock::no) return would_block_status();
  return {refusal, "disk was full; waiting for free space to open it again"};
}

// What must go to the disk whether or not anything is written from now on, and what is kept free.
std::uint64_t RocksdbEngine::space_needed() { return memtable_bytes() + space_kept_; }

std::uint64_t RocksdbEngine::memtable_bytes() {
  return property(rocksdb::DB::Properties::kCurSizeAllMemTables);
}

Status RocksdbEngine::check_space(std::uint64_t bytes) {
  return space_->admit(bytes, [this] { return space_needed(); });
}

// A flush makes room, that of a log, so it may use what is kept for the next one.
Status RocksdbEngine::check_space_to_flush() {
  if (disk_space(directory_).free_bytes >= memtable_bytes() + space_margin_) return ok_status();
  return {Code::no_space, "disk of '" + directory_ + "' has no room for a flush: free some space"};
}

Status RocksdbEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  // The log that could not grow must not be synced again.
  if (out_of_space_.load(std::memory_order_acquire) && durability_ == Durability::disk) {
    if (may_block == MayBlock::no) return would_block_status();
    RW_TRY(guarded("sync", [&] { return revive(); }));
  }
  const CallGate::Pass pass(gate_);
  if (!pass) return not_open(may_block, Code::no_space);
  if (failed_.load(std::memory_order_acquire)) return failure();
  if (durability_ != Durability::disk) return ok_status();
  if (sequence <= synced_through_.load(std::memory_order_acquire)) return ok_status();
  if (may_block == MayBlock::no) return would_block_status();
  return guarded("sync", [&] { return sync_through(sequence); });
}

Status RocksdbEngine::sync_through(std::uint64_t sequence) {
  const std::lock_guard lock(sync_mutex_);
  if (failed_.load(std::memory_order_acquire)) return failure();
  // Another thread's sync may have covered this one while it waited.
  if (sequence <= synced_through_.load(std::memory_order_acquire)) return ok_status();
  if (out_of_space_.load(std::memory_order_acquire))
    return {Code::no_space, "disk was full; waiting for free space"};
  const std::uint64_t covered = written_.load();
  const rocksdb::Status native = db_->SyncWAL();
  if (is_hindered_sync(native)) {
    // Opening anew moves all rows of the logs to tables.
    out_of_space_.store(true, std::memory_order_release);
    return {Code::no_space, "sync: " + native.ToString()};
  }
  if (!native.ok()) return fail(Code::io_error, to_status(native, "sync"));
  synced_through_.store(covered, std::memory_order_release);
  return ok_status();
}

std::unique_ptr<Iterator> RocksdbEngine::iterate(const KeyRange& range, Direction direction) {
  try {
    for (;;) {
      {
        const CallGate::Pass pass(gate_);
        if (pass) return make_range_iterator(instance_, range, direction);
      }
      if (!await_reopening()) return make_empty_iterator(not_open(MayBlock::yes, Code::busy));
    }
  } catch (...) {
    return make_empty_iterator(exception_status("iterate"));
  }
}

Status RocksdbEngine::drop_range(const KeyRange& range) {
  if (out_of_space_.load(std::memory_order_acquire))
    RW_TRY(guarded("drop range", [&] { return revive(); }));
  std::uint64_t sequence = 0;
  {
    const CallGate::Pass pass(gate_);
    if (!pass) return not_open(MayBlock::yes, Code::no_space);
    if (failed_.load(std::memory_order_acquire)) return failure();
    RW_TRY(guarded("drop range", [&] { return drop_admitted(range, sequence); }));
  }
  if (durability_ != Durability::disk || sequence == 0) return ok_status();
  Status synced = sync(sequence, MayBlock::yes);
  // A full disk may have hindered it; to open again is as good as a sync.
  if (synced.code() == Code::no_space) synced = sync(sequence, MayBlock::yes);
  if (synced.code() != Code::no_space) return synced;
  return {Code::in_doubt, "dropped, but perhaps not for good: " + synced.message()};
}

// `sequence`: stays as it is when there is nothing to drop.
Status RocksdbEngine::drop_admitted(const KeyRange& range, std::uint64_t& sequence) {
  if (range.is_nothing()) return ok_status();
  Bytes stop = range.stop;
  if (stop.empty()) {
    // RocksDB knows no open end: end just behind the last key there is, dropped before or not, for
    // a cursor that heeds dropped ranges may not tell of damage (see RangeIterator).
    rocksdb::ReadOptions options = blocking_read_;
    options.ignore_range_deletions = true;
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> last(db_->NewIterator(options));
    last->SeekToLast();
    if (!last->status().ok()) return to_status(last->status(), "drop range");
    if (!last->Valid() || to_view(last->key()) < range.start) return ok_status();
    stop = last->key().ToString() + '\0';
  }
  RW_TRY(check_space(log_record_bytes + range.start.size() + stop.size()));
  instance_->may_have_dropped_ranges.store(true);
  const rocksdb::Status status = write_native(MayBlock::yes, [&](const auto& options) {
    return db_->DeleteRange(options, db_->DefaultColumnFamily(), to_slice(range.start),
                            to_slice(stop));
  });
  if (!status.ok()) return write_failure(status, "drop range");
  sequence = written_.fetch_add(1) + 1;
  return ok_status();
}

Status RocksdbEngine::flush() {
  const Status flushed = flush_once();
  // What RocksDB met in the background it tells only now.
  return flushed.code() == Code::no_space && out_of_space_.load() ? flush_once() : flushed;
}

Status RocksdbEngine::flush_once() {
  if (out_of_space_.load(std::memory_order_acquire))
    RW_TRY(guarded("flush", [&] { return revive(); }));
  const CallGate::Pass pass(gate_);
  if (!pass) return not_open(MayBlock::yes, Code::no_space);
  return guarded("flush", [&] {
    RW_TRY(check_space_to_flush());
    const Status flushed = to_status_here(flush_native(), "flush");
    if (flushed.code() == Code::no_space) out_of_space_.store(true, std::memory_order_release);
    return flushed;
  });
}

rocksdb::Status RocksdbEngine::flush_native() {
  if (!room_wait_) return db_->Flush(flush_options());
  const auto flushed =
      flush_thread_->flush([this] { return room_wait_->is_waiting() || !serves_.load(); });
  if (flushed) return *flushed;
  return serves_.load() ? rocksdb::Status::NoSpace("a flush waits for room")
                        : rocksdb::Status::ShutdownInProgress();
}

Status RocksdbEngine::checkpoint(const std::string& path) {
  const CallGate::Pass pass(gate_);
  if (!pass) return not_open(MayBlock::yes, Code::no_space);
  return guarded("checkpoint", [&]() -> Status {
    const std::string target = disk_->real_path(path);
    if (target.empty()) return {Code::invalid, "checkpoint needs a real disk"};
    const std::string parent = parent_of(path);
    if (!parent.empty()) RW_TRY(disk_->make_directories(parent));
    rocksdb::Checkpoint* made = nullptr;
    const rocksdb::Status ready = rocksdb::Checkpoint::Create(db_, &made);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    if (!ready.ok()) return to_status(ready, "checkpoint");
    // What is in no log must be in a table. A log size of 0 would flush as well, but waits for
    // room.
    std::uint64_t flush_from_log_bytes = 0;
    if (room_wait_) {
      RW_TRY(to_status(flush_native(), "flush for a checkpoint"));
      flush_from_log_bytes = std::numeric_limits<std::uint64_t>::max();
    }
    RW_TRY(to_status_here(checkpoint->CreateCheckpoint(target, flush_from_log_bytes),
                          "checkpoint to '" + target + "'"));
    // Comes last and is what makes the copy an engine's directory: a half-made one is refused.
    const auto claim = disk_->read(path_ + "/ENGINE");
    if (!claim) return claim.error();
    return disk_->replace(path + "/ENGINE", *claim);
  });
}

std::uint64_t RocksdbEngine::approximate_bytes(const KeyRange& range) {
  const CallGate::Pass pass(gate_);
  if (!pass || range.is_nothing()) return 0;
  try {
    // Longer than any key that sorts above it could sensibly be; this is an estimate.
    const Bytes stop = range.stop.empty() ? Bytes(2048, '\xff') : range.stop;
    const rocksdb::Range native(to_slice(range.start), to_slice(stop));
    rocksdb::SizeApproximationOptions options;
    options.include_memtables = true;
    options.include_files = true;
    std::uint64_t bytes = 0;
    const rocksdb::Status status =
        db_->GetApproximateSizes(options, db_->DefaultColumnFamily(), &native, 1, &bytes);
    return status.ok() ? bytes : 0;
  } catch (...) {
    return 0;
  }
}

std::uint64_t RocksdbEngine::property(const std::string& name) {
  std::uint64_t value = 0;
  return db_->GetIntProperty(name, &value) ? value : 0;
}

double RocksdbEngine::pressure() {
  const CallGate::Pass pass(gate_);
  if (!pass) return reviving_.load() ? 1 : 0;
  if (failed_.load(std::memory_order_acquire)) return 1;
  if (out_of_space_.load(std::memory_order_acquire)) return 1;
  try {
    if (!check_space(0).is_ok()) return 1;
    return stall_pressure();
  } catch (...) {
    return 1;
  }
}

double RocksdbEngine::stall_pressure() {
  using Properties = rocksdb::DB::Properties;
  if (property(Properties::kIsWriteStopped) != 0) return 1;
  double worst = property(Properties::kActualDelayedWriteRate) > 0 ? pressure_at_slowdown : 0;

  std::string files;
  if (db_->GetProperty(Properties::kNumFilesAtLevelPrefix + "0", &files))
    worst = std::max(worst,
                     between_bounds(std::stod(files), stall_.level0_slowdown, stall_.level0_stop));
  const auto pending = static_cast<double>(property(Properties::kEstimatePendingCompactionBytes));
  worst =
      std::max(worst, between_bounds(pending, static_cast<double>(stall_.pending_bytes_slowdown),
                                     static_cast<double>(stall_.pending_bytes_stop)));

  // Writers stop when the memtable that takes writes is full and all others wait to be flushed.
  const std::uint64_t waiting = property(Properties::kNumImmutableMemTable);
  if (waiting > 0) {
    const double filled = std::min(
        1.0, static_cast<double>(property(Properties::kCurSizeActiveMemTable)) /
                 static_cast<double>(std::max<std::uint64_t>(1, stall_.write_buffer_bytes)));
    const auto spare = static_cast<double>(std::max<std::uint64_t>(2, stall_.write_buffers) - 1);
    worst = std::max(worst, std::min(1.0, (static_cast<double>(waiting - 1) + filled) / spare));
  }
  return worst;
}

// RocksDB has no property for the size of its logs.
std::uint64_t RocksdbEngine::log_bytes() {
  std::vector<rocksdb::Env::FileAttributes> files;
  if (!db_->GetEnv()->GetChildrenFileAttributes(directory_, &files).ok()) return 0;
  std::uint64_t bytes = 0;
  for (const auto& file : files)
    if (file.name.ends_with(".log")) bytes += file.size_bytes;
  return bytes;
}

EngineStats RocksdbEngine::stats() {
  const CallGate::Pass pass(gate_);
  EngineStats stats;
  if (!pass) return stats;
  try {
    using Properties = rocksdb::DB::Properties;
    stats.approximate_keys = property(Properties::kEstimateNumKeys);
    stats.disk_bytes = property(Properties::kLiveSstFilesSize) + log_bytes();
    stats.memory_bytes = property(Properties::kSizeAllMemTables) +
                         property(Properties::kEstimateTableReadersMem) +
                         property(Properties::kBlockCacheUsage);
    stats.damaged = damage_->ranges();
  } catch (...) {
    return stats;
  }
  return stats;
}

Status RocksdbEngine::close() {
  const std::lock_guard lock(lifecycle_mutex_);
  return guarded("close", [&]() -> Status {
    finished_ = true;
    serves_.store(false);
    if (room_wait_) room_wait_->end();
    gate_.shut();
    flush_thread_.reset();
    reviving_.store(false);
    lock_between_.reset();
    db_ = nullptr;
    for (const auto& weak : left_behind_)
      if (const std::shared_ptr<Instance> old = weak.lock()) old->closed.store(true);
    const std::shared_ptr<Instance> instance = std::exchange(instance_, nullptr);
    if (!instance) return ok_status();
    instance->closed.store(true);
    // With iterators left, the last of them closes the database.
    if (instance.use_count() > 1) return ok_status();
    const Status closed = to_status(instance->db->Close(), "close");
    // It repeats what the write was told that met the full disk.
    return out_of_space_.load() ? ok_status() : closed;
  });
}

Status RocksdbEngine::fail(Code code, const Status& cause) {
  {
    const std::lock_guard lock(failure_mutex_);
    if (failure_message_.empty())
      failure_message_ = "takes no more writes since a failure; reopen: " + cause.message();
  }
  failed_.store(true, std::memory_order_release);
  return {code, cause.message()};
}

Status RocksdbEngine::failure() const {
  const std::lock_guard lock(failure_mutex_);
  return {Code::io_error, failure_message_};
}

}  // namespace ringwright
