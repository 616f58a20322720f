#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/call_gate.h"
#include "engine/base/space_reserve.h"
#include "engine/damage_book.h"
#include "engine/storage_engine.h"
#include "plugins/rocksdb/flush_thread.h"
#include "plugins/rocksdb/log_continuity.h"
#include "plugins/rocksdb/room_wait.h"
#include "plugins/rocksdb/severable_files.h"
#include "plugins/rocksdb/space_errors.h"

namespace ringwright {

// The storage engine "rocksdb": one RocksDB database with one column family in a directory of its
// own. Options are those of `make_rocksdb_options`.
//
// Durability: `none` writes without the log, so what no flush has moved to a table is gone when the
// instance is; `os` writes the log at once, unsynced; `disk` does the same and `sync` syncs the
// log, one sync for every write before it.
// Writes stop with `no_space` while there is still room for what must be written anyway: the
// memtables that are not flushed and the next log. Should RocksDB meet a full disk all the same,
// the engine answers `no_space` until that room is back and then opens the database anew, in a call
// that may block. Meanwhile reads that may block wait; those that may not answer `would_block`.
// Iterators go on with the instance that they began with, which changes no file any more. In class
// `none`, which has nothing to open from, RocksDB's background waits for room instead, see
// RoomWait. Any other failed write or sync is the last one.
//
// MayBlock::no: reads see memtables, filters and the block cache only; a write is refused while
// RocksDB stalls writers. An admitted write still appends to the log through the page cache.
class RocksdbEngine final : public StorageEngine {
 public:
  RocksdbEngine() = default;
  ~RocksdbEngine() override;

  std::string_view name() const override { return "rocksdb"; }
  Capabilities capabilities() const override;
  Status open(const EngineContext& context) override;
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override;
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override;
  Status sync(std::uint64_t sequence, MayBlock may_block) override;
  // An iterator that is still there at `close` ends with `closed`; the directory stays locked
  // until it is destroyed, unless the database was opened anew since it began.
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override;
  Status drop_range(const KeyRange& range) override;
  Status flush() override;
  Status checkpoint(const std::string& path) override;
  std::uint64_t approximate_bytes(const KeyRange& range) override;
  double pressure() override;
  EngineStats stats() override;
  Status close() override;

  // What an open instance and its iterators share.
  struct Instance {
    std::unique_ptr<DirectoryLock> lock;
    std::shared_ptr<SpaceErrors> space_errors = std::make_shared<SpaceErrors>();
    std::shared_ptr<SeverableFiles> files;  // none in class `none`
    std::shared_ptr<rocksdb::Env> environment;
    LogContinuity log_continuity;     // the database keeps a pointer to it
    std::unique_ptr<rocksdb::DB> db;  // destroyed before the lock is let go
    std::atomic<bool> closed{false};
    std::atomic<bool> left_behind{false};  // another instance has the directory
    // Set before a range is dropped, and at an open that finds some.
    std::atomic<bool> may_have_dropped_ranges{false};
    std::shared_ptr<DamageBook> damage;  // the engine's

    void look_for_dropped_ranges();
    // `key`: the one that was read; empty in an iteration.
    void note_damage(const rocksdb::Status& native, ByteView key);
  };

 private:
  using Answers = std::vector<Result<std::optional<Bytes>>>;

  // The bounds at which RocksDB slows or stops writers; they do not change while it is open.
  struct StallBounds {
    int level0_slowdown = 0;
    int level0_stop = 0;
    std::uint64_t pending_bytes_slowdown = 0;
    std::uint64_t pending_bytes_stop = 0;
    std::uint64_t write_buffer_bytes = 0;
    std::uint64_t write_buffers = 0;
  };

  Status open_locked(const EngineContext& context);
  void make_environment(Instance& instance);
  Status begin_log();
  void prepare_calls(const EngineContext& context);
  void keep_space(const rocksdb::Options& actual);
  void get_each(std::span<const Bytes> keys, const rocksdb::ReadOptions& options, Answers& answers);
  Status read_failure(const rocksdb::Status& native, ByteView key);
  void get_together(std::span<const Bytes> keys, Answers& answers);
  Result<std::uint64_t> write_admitted(const WriteBatch& batch, MayBlock may_block);
  Status to_status_here(const rocksdb::Status& native, std::string_view what) const;
  Status write_failure(const rocksdb::Status& native, std::string_view what);
  void note_full_log();
  std::uint64_t space_needed();
  std::uint64_t memtable_bytes();
  Status check_space(std::uint64_t bytes);
  Status check_space_to_flush();
  Status connect(std::unique_ptr<DirectoryLock>& lock);
  Status revive();
  Status let_go();
  Status take_up();
  Status await_room();
  bool await_reopening();
  Status not_open(MayBlock may_block, Code refusal) const;
  void await_jobs();
  bool read(std::span<const Bytes> keys, MayBlock may_block, Answers& answers);
  Status flush_once();
  rocksdb::Status flush_native();
  bool lacks_room() const;
  template <typename Write>
  rocksdb::Status write_native(MayBlock may_block, const Write& write);
  Status sync_through(std::uint64_t sequence);
  Status drop_admitted(const KeyRange& range, std::uint64_t& sequence);
  double stall_pressure();
  std::uint64_t property(const std::string& name);
  std::uint64_t log_bytes();

  // After one of these every write and sync answers what `failure` does.
  Status fail(Code code, const Status& cause);
  Status failure() const;

  std::mutex lifecycle_mutex_;  // open, close, revive
  bool finished_ = false;
  std::atomic<bool> serves_{false};  // between open and close, whether or not the gate is open
  CallGate gate_;                    // open exactly while `db_` may be used
  std::shared_ptr<Instance> instance_;
  rocksdb::DB* db_ = nullptr;
  std::shared_ptr<DamageBook> damage_;

  std::shared_ptr<Disk> disk_;
  std::shared_ptr<RoomWait> room_wait_;      // in class `none`
  std::optional<FlushThread> flush_thread_;  // where `room_wait_` is, while the database is open
  rocksdb::Options options_;
  std::string path_;
  std::string directory_;  // the real one of `path_`
  Durability durability_ = Durability::none;
  bool merges_ = false;
  StallBounds stall_;
  rocksdb::ReadOptions blocking_read_;
  rocksdb::ReadOptions cached_read_;
  rocksdb::WriteOptions blocking_write_;
  rocksdb::WriteOptions unstalled_write_;

  // A write is numbered after RocksDB has taken it, so all writes up to a number that was read
  // before a sync began are in that sync.
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> synced_through_{0};
  std::mutex sync_mutex_;  // also of whoever finds a log full

  std::uint64_t space_kept_ = 0;  // beside the memtables: a log and the margin
  std::uint64_t space_margin_ = 0;
  std::optional<SpaceReserve> space_;  // of an open engine

  // Since RocksDB met a full disk: until it was opened anew, no write and no sync.
  std::atomic<bool> out_of_space_{false};
  std::atomic<bool> reviving_{false};                 // the gate is shut for that
  std::unique_ptr<DirectoryLock> lock_between_;       // while the database is closed for that
  std::vector<std::weak_ptr<Instance>> left_behind_;  // what iterators still hold

  std::atomic<bool> failed_{false};
  mutable std::mutex failure_mutex_;
  std::string failure_message_;
};

}  // namespace ringwright
