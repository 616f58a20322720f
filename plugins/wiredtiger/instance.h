#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/limits.h"
#include "engine/storage_engine.h"
#include "plugins/wiredtiger/breakable_mutex.h"
#include "plugins/wiredtiger/caretaker.h"
#include "plugins/wiredtiger/connection.h"
#include "plugins/wiredtiger/failure.h"
#include "plugins/wiredtiger/figures.h"
#include "plugins/wiredtiger/session_gate.h"
#include "plugins/wiredtiger/store.h"

namespace ringwright {

// The calls of an engine on one connection, and what they share. After a panic the connection is
// closed and opened again in the same instance. Where a call never returns from it, the instance
// is left behind with the connection and the call, and another takes its place. Such a call touches
// nothing but its instance and the store, neither of which is ever freed then.
//
// Invariants: the gate is open only while `connection_` may be used. A write is acknowledged by
// taking a number; `leave` seals the numbers, so no call that returns later acknowledges a write.
//
// Threads: the calls from any, the rest from one at a time.
class Instance : public std::enable_shared_from_this<Instance> {
 public:
  using Answers = std::vector<Result<std::optional<Bytes>>>;

  // Writes count on from `start`. `expected`: why the one before it was left.
  Instance(std::shared_ptr<Store> store, std::uint64_t start, Trouble expected = Trouble::none);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // --- calls, as those of StorageEngine ---

  Answers multi_get(std::span<const Bytes> keys, MayBlock may_block);
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block);
  Status sync(std::uint64_t sequence, MayBlock may_block);
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction);
  Status drop_range(const KeyRange& range);
  Status flush();
  Status checkpoint(const std::string& path);
  std::uint64_t approximate_bytes(const KeyRange& range);
  double pressure();
  EngineStats stats();

  // --- the way of the connection: connect, admit_calls, shut, then disconnect or leave ---

  // `lock` is that of the directory.
  Status connect(std::shared_ptr<DirectoryLock> lock);
  bool is_connected() const { return connection_ != nullptr; }
  // Only while connected: what must be mended by a new connection, none where nothing can be.
  Trouble curable_trouble() const;
  bool has_failed() const { return failure_.is_set(); }
  bool copies_files() const { return copies_files_.load(); }
  bool has_iterators() const { return connection_.use_count() > 1; }

  // Before calls are let in.
  void count_from(std::uint64_t start) { written_.store(start); }

  // Lets calls in, and makes checkpoints when they are due.
  void admit_calls();
  // Returns once no call is inside, and none gets in. False when there was trouble and one is still
  // inside after the store's patience.
  bool shut();
  // Once shut. With iterators left, the last of them closes the connection. Retired, it leaves no
  // thread.
  Status disconnect();
  // With calls inside: it stays until the process ends. Answers the last number that it gave. The
  // directory is free for others if `is_severed`.
  std::uint64_t leave();
  bool is_severed() const { return connection_->is_severed(); }
  // Calls and iterators answer `closed` from now on.
  void retire();
  void fail(const Status& cause) { failure_.set(Code::io_error, cause).ignore("later calls tell"); }

 private:
  // Why a call may not go on; ok when it may.
  Status admission(const SessionGate::Call& call, bool changes);
  Status not_open(bool changes);
  Status troubled(Trouble trouble, bool changes);
  Status given_up(bool changes) { return troubled(connection_->trouble(), changes); }

  // Null: `unavailable` is what `Connection::no_session` takes.
  NativeSession* session_of(SessionGate::Call& call, int& unavailable) {
    return call.session(connection_->sessions(), unavailable);
  }
  void get_each(SessionGate::Call& call, std::span<const Bytes> keys, Answers& answers);
  Result<std::optional<Bytes>> get_one(WT_CURSOR* rows, const Bytes& key);
  Result<std::uint64_t> write_admitted(SessionGate::Call& call, const WriteBatch& batch);
  Status check_batch(const WriteBatch& batch);
  // Under the commit mutex: before a commit, and the number of a write after it.
  void count_bytes(std::uint64_t bytes);
  Result<std::uint64_t> acknowledge();
  Status write_failure(int error, bool committing, const Bytes* touched);
  Status check_space(NativeSession& native, std::uint64_t bytes);
  Status sync_through(SessionGate::Call& call, std::uint64_t sequence);
  Result<std::uint64_t> drop_admitted(SessionGate::Call& call, const KeyRange& range);
  Status write_checkpoint(SessionGate::Call& call);
  Status copy_to(SessionGate::Call& call, const std::string& path);
  Estimate estimate(SessionGate::Call& call, const KeyRange& range);
  std::uint64_t count_rows(SessionGate::Call& call);
  void checkpoint_if_due();
  bool checkpoint_due();

  const std::shared_ptr<Store> store_;
  SessionGate gate_;
  std::shared_ptr<Connection> connection_;
  std::atomic<bool> serves_{false};  // until `retire`, whether or not the gate is open
  std::atomic<Trouble> reviving_;    // while the gate is shut for that
  Failure failure_;                  // after which every write and sync answers it

  // Held over each commit. A write is numbered under it, so all writes up to a number that was read
  // before a sync began are in that sync. All that each commit changes lies in one cache line.
  alignas(64) BreakableMutex commit_mutex_{limits::wiredtiger_commit_spins_max};
  std::atomic<std::uint64_t> written_;
  std::atomic<std::uint64_t> written_bytes_{0};  // changed under the commit mutex alone

  alignas(64) std::atomic<std::uint64_t> synced_through_{0};
  BreakableMutex sync_mutex_;
  BreakableMutex copy_mutex_;
  std::atomic<bool> copies_files_{false};  // and is not in WiredTiger meanwhile

  std::uint64_t checkpoint_bytes_ = 0;  // of `written_bytes_`, at the last one; the caretaker's
  Instant checkpoint_time_ = 0;         // the caretaker's

  // The last count of all rows, and `written_bytes_` at that time: counting reads blocks.
  BreakableMutex count_mutex_;
  std::uint64_t counted_rows_ = 0;
  std::uint64_t counted_at_bytes_ = UINT64_MAX;

  Caretaker caretaker_;  // ends before all else does
};

}  // namespace ringwright
