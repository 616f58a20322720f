#include "engine/memory/memory_engine.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/nearest.h"
#include "engine/builtin_engines.h"
#include "engine/engine_directory.h"
#include "engine/iterators.h"

namespace ringwright {
namespace {

// More than a cache holds at a time would push itself out.
constexpr std::size_t rows_prefetched_max = 32;
constexpr std::size_t row_prefetched_bytes = 256;

// What a row costs beside its bytes: the map's node, two string heads, its share of the index.
constexpr std::uint64_t row_overhead_bytes = 144;
// Kind and two lengths, and the share of a record's head.
constexpr std::uint64_t logged_row_overhead_bytes = 8;
// Head of a payload; per operation one byte of kind and two lengths of at most ten.
constexpr std::size_t payload_overhead_bytes = 10;
constexpr std::size_t operation_overhead_bytes = 21;

LogKind log_kind(WriteBatch::Kind kind) {
  switch (kind) {
    case WriteBatch::Kind::put:
      return LogKind::put;
    case WriteBatch::Kind::remove:
      return LogKind::remove;
    case WriteBatch::Kind::merge:
      return LogKind::merge;
  }
  return LogKind::put;
}

}  // namespace

MemoryEngine::~MemoryEngine() { close().ignore("a destructor has nobody to tell"); }

Capabilities MemoryEngine::capabilities() const {
  return {native_merge_, true, context_.disk ? Durability::disk : Durability::none, true};
}

Status MemoryEngine::read_options(const EngineOptions& options) {
  const std::vector<std::string> known = {"native_merge"};
  for (const auto& [option, value] : options) {
    if (option != known.front())
      return {Code::invalid, "the engine 'memory' has no option '" + option + "'; did you mean '" +
                                 nearest_name(option, known) + "'?"};
    if (value != "true" && value != "false")
      return {Code::invalid,
              "option native_merge of the engine 'memory' is true or false, not '" + value + "'"};
    native_merge_ = value == "true";
  }
  return ok_status();
}

Status MemoryEngine::open(const EngineContext& context) {
  if (state_ == State::closed) return usable();
  if (state_ == State::open) return {Code::invalid, "the engine 'memory' is open already"};
  RW_TRY(read_options(context.options));
  if (!context.disk && context.durability != Durability::none)
    return {Code::invalid, "without a disk the engine 'memory' has only durability none, not " +
                               std::string(durability_name(context.durability))};
  context_ = context;
  if (context_.disk) {
    const Status opened = open_log();
    if (!opened.is_ok()) {
      log_.reset();
      directory_lock_.reset();
      rows_.clear();
      index_.clear();
      row_bytes_ = 0;
      return opened;
    }
  }
  state_ = State::open;
  return ok_status();
}

Status MemoryEngine::open_log() {
  RW_TRY(context_.disk->make_directories(context_.path));
  auto lock = context_.disk->lock(context_.path);
  if (!lock) return lock.error();
  directory_lock_ = std::move(*lock);
  RW_TRY(claim_engine_directory(*context_.disk, context_.path, name(), log_format_version));
  log_ = std::make_unique<AppendLog>(context_.disk, context_.path, context_.durability);
  RW_TRY(log_->open(
      [this](std::span<const LogOperation> operations) { return apply(operations, From::log); }));
  sequence_ = log_->last_sequence();
  rewrite_above_ = limits::memory_log_sync_rewrite_bytes;
  // A tail read back after a failed sync may be in the page cache alone, where another sync would
  // succeed and prove nothing. Only bytes written anew are known to reach the disk.
  const bool unproven =
      context_.durability == Durability::disk && sequence_ != log_->base_sequence();
  if (unproven || log_->has_old_format() || log_exceeds(limits::memory_log_open_rewrite_bytes))
    return rewrite_log();
  return ok_status();
}

Status MemoryEngine::usable() const {
  return state_ == State::open ? ok_status()
                               : Status{Code::closed, "the engine 'memory' is not open"};
}

std::vector<Result<std::optional<Bytes>>> MemoryEngine::multi_get(std::span<const Bytes> keys,
                                                                  MayBlock) {
  std::vector<Result<std::optional<Bytes>>> found;
  found.reserve(keys.size());
  const std::shared_lock lock(rows_mutex_);
  if (const Status status = usable(); !status.is_ok()) {
    found.assign(keys.size(), status);
    return found;
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i % rows_prefetched_max == 0)
      prefetch_rows(keys.size() - i, [&](std::size_t at) { return ByteView(keys[i + at]); });
    const auto at = find_row(keys[i]);
    if (at == rows_.end())
      found.emplace_back(std::optional<Bytes>());
    else
      found.emplace_back(std::optional<Bytes>(at->second));
  }
  return found;
}

Status MemoryEngine::check_batch(const WriteBatch& batch) const {
  std::size_t bytes = payload_overhead_bytes;
  for (const auto& operation : batch.operations()) {
    bytes += operation_overhead_bytes + operation.key.size() + operation.value.size();
    if (operation.kind != WriteBatch::Kind::merge) continue;
    if (!native_merge_)
      return {Code::invalid, "merge of key " + printable(operation.key) +
                                 ": this engine was opened with native_merge = false"};
    if (!context_.policy)
      return {Code::invalid, "merge of key " + printable(operation.key) +
                                 ": this engine was opened without a record policy"};
  }
  if (bytes <= limits::memory_log_record_bytes_max) return ok_status();
  return {Code::invalid, "a batch of " + std::to_string(bytes) + " bytes is above the bound of " +
                             std::to_string(limits::memory_log_record_bytes_max)};
}

Result<std::uint64_t> MemoryEngine::write(const WriteBatch& batch, MayBlock may_block) {
  RW_TRY(usable());
  RW_TRY(check_batch(batch));
  std::vector<LogOperation> operations;
  operations.reserve(batch.size());
  for (const auto& operation : batch.operations())
    operations.push_back({log_kind(operation.kind), operation.key, operation.value});
  return write_operations(operations, may_block);
}

Result<std::uint64_t> MemoryEngine::write_operations(std::span<const LogOperation> operations,
                                                     MayBlock may_block) {
  std::unique_lock lock(write_mutex_);
  while (rewriting_) {
    if (may_block == MayBlock::no) return Status{Code::would_block, "the log is being rewritten"};
    rewrite_ended_.wait(lock);
  }
  RW_TRY(usable());
  if (log_) RW_TRY(log_->failure());
  if (operations.empty()) return sequence_;
  if (log_ && context_.durability != Durability::none)
    RW_TRY(log_->append(sequence_ + 1, operations));
  const std::lock_guard rows_lock(rows_mutex_);
  RW_TRY(apply(operations, From::writer));
  return ++sequence_;
}

// Rows lie all over the memory: what a batch will touch is asked for before it is looked at, step
// by step, so that the waits overlap. Of `count` keys as many as make sense.
template <typename KeyAt>
void MemoryEngine::prefetch_rows(std::size_t count, const KeyAt& key_at) {
  if (count < 2) return;
  constexpr std::size_t cache_line_bytes = 64;
  std::array<std::uint64_t, rows_prefetched_max> hashes;
  std::array<Rows::iterator, rows_prefetched_max> places;
  count = std::min(count, rows_prefetched_max);
  for (std::size_t i = 0; i < count; ++i) {
    hashes[i] = hash64(key_at(i));
    index_.prefetch(hashes[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto* const at = index_.find(hashes[i], [](Rows::iterator) { return true; });
    places[i] = at == nullptr ? rows_.end() : *at;
    if (at != nullptr) __builtin_prefetch(&*places[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (places[i] == rows_.end()) continue;
    const auto& [key, row] = *places[i];
    __builtin_prefetch(key.data());
    for (std::size_t at = 0; at < row.size() && at < row_prefetched_bytes; at += cache_line_bytes)
      __builtin_prefetch(row.data() + at);
  }
}

Status MemoryEngine::apply(std::span<const LogOperation> operations, From from) {
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (i % rows_prefetched_max == 0)
      prefetch_rows(operations.size() - i, [&](std::size_t at) { return operations[i + at].key; });
    const LogOperation& operation = operations[i];
    switch (operation.kind) {
      case LogKind::put:
        put_row(find_row(operation.key), operation.key, Bytes(operation.value));
        break;
      case LogKind::remove:
        if (const auto at = find_row(operation.key); at != rows_.end())
          erase_rows({at, std::next(at)});
        break;
      case LogKind::merge:
        // Only a log can bring one here unchecked.
        if (!context_.policy)
          return {Code::invalid, "the log holds merges: open it with its record policy"};
        merge_row(operation.key, operation.value, from);
        break;
      case LogKind::drop_range:
        erase_rows(find_range({Bytes(operation.key), Bytes(operation.value)}));
        break;
    }
  }
  return ok_status();
}

MemoryEngine::Rows::iterator MemoryEngine::find_row(ByteView key) {
  const auto* const at =
      index_.find(hash64(key), [key](Rows::iterator row) { return row->first == key; });
  return at == nullptr ? rows_.end() : *at;
}

// `at`: where the key's row is, or the end.
void MemoryEngine::put_row(Rows::iterator at, ByteView key, Bytes row) {
  if (at == rows_.end()) {
    at = rows_.emplace(Bytes(key), Bytes()).first;
    index_.insert(hash64(key), at);
    row_bytes_ += key.size();
  }
  row_bytes_ += row.size();
  row_bytes_ -= at->second.size();
  at->second = std::move(row);
}

void MemoryEngine::erase_rows(const RowsPart& part) {
  for (auto at = part.first; at != part.second; ++at) {
    row_bytes_ -= at->first.size() + at->second.size();
    index_.erase(hash64(at->first), [at](Rows::iterator row) { return row == at; });
  }
  rows_.erase(part.first, part.second);
}

void MemoryEngine::merge_row(ByteView key, ByteView operand, From from) {
  const auto at = find_row(key);
  std::optional<ByteView> base;
  if (at != rows_.end()) base = at->second;
  put_row(at, key,
          from == From::writer ? context_.policy->merge_checked(key, base, operand)
                               : context_.policy->merge(key, base, {&operand, 1}));
}

MemoryEngine::RowsPart MemoryEngine::find_range(const KeyRange& range) {
  const auto first = rows_.lower_bound(range.start);
  if (range.stop.empty()) return {first, rows_.end()};
  if (range.is_nothing()) return {first, first};
  return {first, rows_.lower_bound(range.stop)};
}

Status MemoryEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  RW_TRY(usable());
  if (!log_) return ok_status();
  if (context_.durability == Durability::disk) RW_TRY(log_->sync(sequence, may_block));
  RW_TRY(log_->failure());
  if (may_block == MayBlock::no || context_.durability == Durability::none) return ok_status();
  {
    const std::lock_guard lock(write_mutex_);
    if (rewriting_ || !log_exceeds(rewrite_above_)) return ok_status();
    // The next attempt waits for the log to double, so that one that fails is not tried each time.
    rewrite_above_ = log_->file_bytes() * 2;
  }
  rewrite_log().ignore("the writes are durable without it");
  return ok_status();
}

std::unique_ptr<Iterator> MemoryEngine::iterate(const KeyRange& range, Direction direction) {
  std::vector<std::pair<Bytes, Bytes>> copy;
  {
    const std::shared_lock lock(rows_mutex_);
    if (const Status status = usable(); !status.is_ok()) return make_empty_iterator(status);
    const auto [first, last] = find_range(range);
    copy.assign(first, last);
  }
  if (direction == Direction::reverse) std::reverse(copy.begin(), copy.end());
  return make_rows_iterator(std::move(copy));
}

Status MemoryEngine::drop_range(const KeyRange& range) {
  RW_TRY(usable());
  const LogOperation operation{LogKind::drop_range, range.start, range.stop};
  const auto sequence = write_operations({&operation, 1}, MayBlock::yes);
  if (!sequence) return sequence.error();
  return context_.durability == Durability::disk ? log_->sync(*sequence, MayBlock::yes)
                                                 : ok_status();
}

// Whether the log is above `bound` and mostly rows that are no more.
bool MemoryEngine::log_exceeds(std::uint64_t bound) {
  const std::shared_lock lock(rows_mutex_);
  const std::uint64_t live = row_bytes_ + rows_.size() * logged_row_overhead_bytes;
  const std::uint64_t logged = log_->file_bytes();
  return logged > bound && logged > 2 * live;
}

Bytes MemoryEngine::encode_snapshot(std::uint64_t base_sequence) {
  Bytes records;
  std::uint64_t count = 0;
  std::vector<LogOperation> operations;
  std::size_t pending_bytes = 0;
  const auto end_record = [&] {
    if (operations.empty()) return;
    append_log_record(records, base_sequence, 0, operations);
    operations.clear();
    pending_bytes = 0;
    ++count;
  };
  const std::shared_lock lock(rows_mutex_);
  for (const auto& [key, row] : rows_) {
    operations.push_back({LogKind::put, key, row});
    pending_bytes += key.size() + row.size();
    if (pending_bytes >= limits::memory_log_snapshot_record_bytes) end_record();
  }
  end_record();
  return encode_log_header(base_sequence, count) + records;
}

Status MemoryEngine::rewrite_log() {
  std::unique_lock lock(write_mutex_);
  rewrite_ended_.wait(lock, [this] { return !rewriting_; });
  rewriting_ = true;
  const std::uint64_t base_sequence = sequence_;
  lock.unlock();
  const Status status = log_->rewrite(base_sequence, encode_snapshot(base_sequence));
  lock.lock();
  rewriting_ = false;
  if (status.is_ok()) rewrite_above_ = limits::memory_log_sync_rewrite_bytes;
  lock.unlock();
  rewrite_ended_.notify_all();
  return status;
}

Status MemoryEngine::flush() {
  RW_TRY(usable());
  if (!log_) return ok_status();
  RW_TRY(log_->failure());
  {
    const std::lock_guard lock(write_mutex_);
    if (sequence_ == log_->base_sequence()) return ok_status();
  }
  return rewrite_log();
}

Status MemoryEngine::checkpoint(const std::string& path) {
  RW_TRY(usable());
  if (!context_.disk) return {Code::invalid, "without a disk there is nowhere to copy to"};
  const auto present = context_.disk->list(path);
  if (!present) return present.error();
  if (!present->empty())
    return {Code::invalid, "checkpoint into '" + path + "': the directory is not empty"};
  Bytes snapshot;
  {
    const std::lock_guard lock(write_mutex_);
    snapshot = encode_snapshot(sequence_);
  }
  RW_TRY(claim_engine_directory(*context_.disk, path, name(), log_format_version));
  return context_.disk->replace(path + "/log.1", snapshot);
}

std::uint64_t MemoryEngine::approximate_bytes(const KeyRange& range) {
  const std::shared_lock lock(rows_mutex_);
  if (range.start.empty() && range.stop.empty()) return row_bytes_;
  std::uint64_t bytes = 0;
  const auto [first, last] = find_range(range);
  for (auto at = first; at != last; ++at) bytes += at->first.size() + at->second.size();
  return bytes;
}

double MemoryEngine::pressure() {
  if (!usable().is_ok() || !log_) return 0;
  if (!log_->failure().is_ok()) return 1;
  const std::lock_guard lock(write_mutex_);
  return rewriting_ ? 1 : 0;
}

EngineStats MemoryEngine::stats() {
  EngineStats stats;
  const std::shared_lock lock(rows_mutex_);
  if (!usable().is_ok()) return stats;
  stats.approximate_keys = rows_.size();
  stats.memory_bytes = row_bytes_ + rows_.size() * row_overhead_bytes;
  stats.disk_bytes = log_ ? log_->file_bytes() : 0;
  return stats;
}

Status MemoryEngine::close() {
  std::unique_lock lock(write_mutex_);
  rewrite_ended_.wait(lock, [this] { return !rewriting_; });
  const std::lock_guard rows_lock(rows_mutex_);
  if (state_.exchange(State::closed) != State::open) return ok_status();
  log_.reset();
  directory_lock_.reset();
  rows_.clear();
  index_.clear();
  row_bytes_ = 0;
  return ok_status();
}

void add_memory_engine(Registry& registry) {
  registry.add<StorageEngine>("memory", [] { return std::make_unique<MemoryEngine>(); });
}

}  // namespace ringwright
