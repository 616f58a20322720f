#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/base/limits.h"
#include "engine/storage_engine.h"
#include "plugins/wiredtiger/caretaker.h"
#include "plugins/wiredtiger/instance.h"
#include "plugins/wiredtiger/store.h"

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
// must go first. A call that has not returned by then, or a close that does not, is left behind
// with the connection, cut off from the files. A damaged block is not touched again. After any
// other failure of the disk nothing succeeds until a reopen.
//
// The engine may be destroyed once `close` has returned, even under a call that never returned.
class WiredtigerEngine final : public StorageEngine {
 public:
  // `patience`: for what does not return once WiredTiger has given up.
  explicit WiredtigerEngine(Nanoseconds patience = limits::wiredtiger_close_deadline);
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
  Status open_locked(const EngineContext& context);
  Status open_connection(const EngineContext& context);
  Status recover_for_none(const EngineContext& context);
  void revive();
  bool may_revive();
  bool let_go();
  Status end();

  // The instance that calls go to. They touch nothing else of the engine, and nothing after it.
  Instance& current() { return *current_.load(std::memory_order_acquire); }
  void replace_instance(std::uint64_t start, Trouble expected);

  std::mutex close_mutex_;      // held over a whole close, so that a second one waits for the first
  std::mutex lifecycle_mutex_;  // open, close, revive
  bool finished_ = false;
  bool ended_ = false;
  std::shared_ptr<Store> store_ = std::make_shared<Store>();
  std::shared_ptr<DirectoryLock> lock_;
  std::shared_ptr<Instance> instance_;       // shut until `open` has succeeded
  std::atomic<Instance*> current_{nullptr};  // `instance_`; those before it were left behind
  Caretaker reviver_;
};

}  // namespace ringwright
