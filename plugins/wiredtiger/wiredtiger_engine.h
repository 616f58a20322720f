#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/ballast.h"
#include "engine/base/call_gate.h"
#include "engine/base/clock.h"
#include "engine/base/space_reserve.h"
#include "engine/storage_engine.h"
#include "plugins/wiredtiger/caretaker.h"
#include "plugins/wiredtiger/directory.h"
#include "plugins/wiredtiger/figures.h"
#include "plugins/wiredtiger/instance.h"
#include "plugins/wiredtiger/options.h"

namespace ringwright {

// The storage engine "wiredtiger": one WiredTiger database with one B-tree in a directory of its
// own. Options are those of `make_wiredtiger_options`. A key must not be empty.
//
// Durability: `none` has no log, so what no checkpoint has written is gone with the process; `os`
// hands each commit's log record to the system before the commit can be seen; `disk` does the same,
// and `sync` syncs the log, once for all commits before it.
// Order: transactions insert side by side and commit one at a time, so that numbers, the log, and
// every snapshot, a checkpoint's included, agree on one order; each is a prefix of it.
// MayBlock::no: WiredTiger cannot tell what a call would have to read, so all answer would_block.
// Checkpoints are made in the background as the option `checkpoint` says, and bound the log.
//
// WiredTiger panics when the disk is full or a block is damaged, and then answers nothing more.
// So writes stop with `no_space` while there is still room for what the cache has to write, and
// what is under way when somebody else fills the disk takes its room from a ballast. If it panics
// nevertheless, the write under way is in doubt, and the background opens the connection again (not
// with `none`, which would lose rows): calls are `busy`, or `no_space`, until then, and iterators
// must go first. A damaged block is not touched again. After any other failure of the disk nothing
// succeeds until a reopen.
class WiredtigerEngine final : public StorageEngine {
 public:
  WiredtigerEngine() = default;
  ~WiredtigerEngine() override;

  std::string_view name() const override { return "wiredtiger"; }
  Capabilities capabilities() const override;
  Status open(const EngineContext& context) override;
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override;
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override;
  Status sync(std::uint64_t sequence, MayBlock may_block) override;
  // An iterator that is still there at `close` ends with `closed`; the directory stays locked
  // until it is destroyed.
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override;
  Status drop_range(const KeyRange& range) override;
  Status flush() override;
  Status checkpoint(const std::string& path) override;
  std::uint64_t approximate_bytes(const KeyRange& range) override;
  double pressure() override;
  EngineStats stats() override;
  // Also writes a last checkpoint: WiredTiger does not close without.
  Status close() override;

 private:
  using Answers = std::vector<Result<std::optional<Bytes>>>;
  enum class Reach : std::uint8_t { nothing, commit };  // how far a transaction got

  Status open_locked(const EngineContext& context);
  Status recover_for_none(const EngineContext& context);

  // Why a call may not go on; ok when it may.
  Status admission(const CallGate::Pass& pass, bool changes);
  Status not_open(bool changes);
  Status troubled(Trouble trouble, bool changes);

  void get_each(std::span<const Bytes> keys, Answers& answers);
  Result<std::optional<Bytes>> get_one(WT_CURSOR* rows, const Bytes& key);
  Result<std::uint64_t> write_admitted(const WriteBatch& batch);
  Status check_batch(const WriteBatch& batch);
  int apply(const SessionPool::Lease& lease, const WriteBatch& batch, Reach& reach,
            const Bytes*& touched);
  int commit(const SessionPool::Lease& lease, std::uint64_t bytes);
  Status write_failure(int error, Reach reach, const Bytes* touched);
  Status check_space(std::uint64_t bytes);
  std::uint64_t dirty_bytes();
  Status sync_through(std::uint64_t sequence);
  Result<std::uint64_t> drop_admitted(const KeyRange& range);
  int drop_once(const SessionPool::Lease& lease, const KeyRange& range, Reach& reach);
  Status write_checkpoint();
  Status copy_to(const std::string& path);
  Estimate estimate(const KeyRange& range);
  std::uint64_t count_rows();

  void tick();
  bool checkpoint_due();
  void revive();
  bool shut_gate();
  void stop_caretaker();
  Status reconnect();

  // After one of these every write and sync answers what `failure` does.
  Status fail(Code code, const Status& cause);
  Status failure() const;

  std::mutex lifecycle_mutex_;  // open, close, revive
  bool finished_ = false;
  std::atomic<bool> serves_{false};  // between open and close, whether or not the gate is open
  CallGate gate_;                    // open exactly while `instance_` may be used
  std::shared_ptr<Instance> instance_;
  std::atomic<Trouble> reviving_{Trouble::none};  // while the gate is shut for that
  Caretaker caretaker_;

  std::shared_ptr<Clock> clock_;
  Directory directory_;
  std::shared_ptr<DirectoryLock> lock_;
  std::shared_ptr<DamagedPlaces> damage_;
  Durability durability_ = Durability::none;
  WiredtigerOptions options_;

  // Held over each commit. A write is numbered under it, so all writes up to a number that was read
  // before a sync began are in that sync.
  std::mutex commit_mutex_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> synced_through_{0};
  std::mutex sync_mutex_;

  std::optional<SpaceReserve> space_;  // of an open engine
  std::shared_ptr<Ballast> ballast_;
  // Set by `close`: nothing waits for room any more.
  const std::shared_ptr<std::atomic<bool>> ends_ = std::make_shared<std::atomic<bool>>(false);

  std::atomic<std::uint64_t> written_bytes_{0};
  std::uint64_t checkpoint_bytes_ = 0;  // of `written_bytes_`, at the last one; the caretaker's
  Instant checkpoint_time_ = 0;         // the caretaker's
  std::mutex backup_mutex_;

  // The last count of all rows, and `written_bytes_` at that time: counting reads blocks.
  std::mutex count_mutex_;
  std::uint64_t counted_rows_ = 0;
  std::uint64_t counted_at_bytes_ = UINT64_MAX;

  std::atomic<bool> failed_{false};
  mutable std::mutex failure_mutex_;
  std::string failure_message_;
};

}  // namespace ringwright
