#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "engine/base/hash_index.h"
#include "engine/memory/append_log.h"
#include "engine/storage_engine.h"

namespace ringwright {

// All rows in one ordered map, for ranges, with a hash index over it, for single keys; and a log of
// the writes for the classes `os` and `disk`. The reference for what an engine answers. Open reads
// everything; `iterate` copies its range when it is made (that is the snapshot), so ask for the
// range that you need. Class `none` writes no log: what `flush` wrote is all that the next open
// finds; without a disk it keeps nothing at all.
//
// Option: native_merge = true | false (the capability `merge`).
//
// 1. A write is in the log before it is in the map.
// 2. Writes are ordered by `write_mutex_`, held for append and map together; neither it nor
//    `rows_mutex_` is held during a disk sync.
// 3. While the log is rewritten no write goes in: one that may not block answers `would_block`.
// Locks are taken in the order write_mutex_, rows_mutex_, then the log's own.
class MemoryEngine final : public StorageEngine {
 public:
  MemoryEngine() = default;
  ~MemoryEngine() override;

  std::string_view name() const override { return "memory"; }
  Capabilities capabilities() const override;
  Status open(const EngineContext& context) override;
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override;
  // An empty batch is no write: it answers the last sequence.
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override;
  Status sync(std::uint64_t sequence, MayBlock may_block) override;
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override;
  Status drop_range(const KeyRange& range) override;
  Status flush() override;
  Status checkpoint(const std::string& path) override;
  std::uint64_t approximate_bytes(const KeyRange& range) override;
  // 1 while writes wait for the log to be rewritten, and since it failed.
  double pressure() override;
  EngineStats stats() override;
  Status close() override;

 private:
  using Rows = std::map<Bytes, Bytes, std::less<>>;
  using RowsPart = std::pair<Rows::iterator, Rows::iterator>;

  Status read_options(const EngineOptions& options);
  Status open_log();
  Status check_batch(const WriteBatch& batch) const;
  Result<std::uint64_t> write_operations(std::span<const LogOperation> operations,
                                         MayBlock may_block);
  RowsPart find_range(const KeyRange& range);
  Rows::iterator find_row(ByteView key);
  // What a writer hands over it has checked; a log is believed in nothing.
  enum class From : std::uint8_t { writer, log };
  Status apply(std::span<const LogOperation> operations, From from);
  template <typename KeyAt>
  void prefetch_rows(std::size_t count, const KeyAt& key_at);
  void put_row(Rows::iterator at, ByteView key, Bytes row);
  void erase_rows(const RowsPart& part);
  void merge_row(ByteView key, ByteView operand, From from);
  Bytes encode_snapshot(std::uint64_t base_sequence);
  bool log_exceeds(std::uint64_t bound);
  Status rewrite_log();
  Status usable() const;

  enum class State { fresh, open, closed };
  std::atomic<State> state_ = State::fresh;
  EngineContext context_;
  bool native_merge_ = true;
  std::unique_ptr<DirectoryLock> directory_lock_;
  std::unique_ptr<AppendLog> log_;  // null without a disk

  std::mutex write_mutex_;  // guards sequence_, rewriting_, rewrite_above_
  std::condition_variable rewrite_ended_;
  std::uint64_t sequence_ = 0;
  bool rewriting_ = false;
  std::uint64_t rewrite_above_ = 0;  // a sync rewrites a log larger than this

  std::shared_mutex rows_mutex_;  // guards rows_, index_, row_bytes_
  Rows rows_;
  HashIndex<Rows::iterator> index_;  // every row, by the hash of its key
  std::uint64_t row_bytes_ = 0;
};

}  // namespace ringwright
