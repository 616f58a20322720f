#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/base/guarded.h"
#include "engine/base/time.h"
#include "plugins/rocksdb/rocksdb_engine.h"

// What RocksdbEngine does after RocksDB has met a full disk.

namespace ringwright {
namespace {

// For background jobs that are about to end.
constexpr std::chrono::milliseconds job_poll{2};
constexpr std::chrono::milliseconds job_wait_max{1500};
// For a write to a file, which is one call to the system.
constexpr Nanoseconds sever_wait_max = seconds(5);
// How many instances iterators may hold beside the open one: each has its memtables and open files.
constexpr std::size_t left_behind_max = 4;

}  // namespace

// Called by the thread whose write fails for it, within that write. It waits for a sync under way;
// the next one sees that there may be none.
void RocksdbEngine::note_full_log() {
  const std::lock_guard lock(sync_mutex_);
  out_of_space_.store(true, std::memory_order_release);
}

// After RocksDB met a full disk, when there is room again. It is opened anew, for its own way to
// resume has holes (seen in 7.8.3): it goes on with a log whose very first record has failed, it
// waits for ever for a flush that was about to begin, and it takes itself for lost where it could
// not begin a log. Whatever was written is in the logs, in the system's hands at least, and what is
// torn in them was refused. Without logs it must not have met it: see RoomWait.
//
// When it fails half way the gate stays shut, and the next call goes on from there.
Status RocksdbEngine::revive() {
  const std::lock_guard lock(lifecycle_mutex_);
  if (finished_ || failed_.load() || !out_of_space_.load()) return ok_status();
  RW_TRY(space_->look(0, db_ ? space_needed() : space_kept_));
  if (room_wait_) return await_room();
  if (instance_) RW_TRY(let_go());
  return take_up();
}

// Takes the directory out of the database's hands, or answers why not yet. Without iterators that
// also closes it.
Status RocksdbEngine::let_go() {
  std::erase_if(left_behind_, [](const auto& instance) { return instance.expired(); });
  if (left_behind_.size() >= left_behind_max)
    return {Code::no_space, "disk was full; waiting for iterators that began before earlier ones"};
  left_behind_.reserve(left_behind_max);
  await_jobs();
  reviving_.store(true, std::memory_order_release);
  gate_.shut();
  if (instance_.use_count() == 1) {
    // In order, for it then removes what it has begun in vain, and the opening needs that room.
    instance_->db->Close().PermitUncheckedError();  // it failed before
  } else if (!instance_->files->sever_within(sever_wait_max)) {
    gate_.open();
    reviving_.store(false, std::memory_order_release);
    return {Code::no_space, "disk was full; waiting for a call to the system to return"};
  }
  rocksdb::Warn(options_.info_log, "opened anew: the disk was full and has room again");
  db_ = nullptr;
  lock_between_ = std::move(instance_->lock);
  instance_->left_behind.store(true);
  left_behind_.push_back(instance_);
  instance_.reset();
  return ok_status();
}

// A background job that met a full disk sleeps for a second before it ends, and closing the
// database waits for that. Until then reads can go on.
void RocksdbEngine::await_jobs() {
  using Properties = rocksdb::DB::Properties;
  for (auto waited = job_poll; waited < job_wait_max; waited += job_poll) {
    if (property(Properties::kNumRunningFlushes) + property(Properties::kNumRunningCompactions) ==
        0)
      return;
    std::this_thread::sleep_for(job_poll);
  }
}

Status RocksdbEngine::take_up() {
  const Status opened = connect(lock_between_);
  if (opened.code() == Code::no_space) return opened;
  if (!opened.is_ok()) return fail(opened.code(), opened);
  // Should there be no room for that, it can be read at least.
  const Status begun = begin_log();
  if (begun.is_ok()) out_of_space_.store(false, std::memory_order_release);
  gate_.open();
  reviving_.store(false, std::memory_order_release);
  return begun.is_ok() || begun.code() == Code::no_space ? begun : fail(begun.code(), begun);
}

// RocksDB's background may wait again right after it was asked, so it is asked last.
Status RocksdbEngine::await_room() {
  if (instance_->space_errors->has_stopped())
    return fail(Code::io_error, {Code::io_error, "RocksDB was stopped by an error, see its LOG"});
  out_of_space_.store(false, std::memory_order_release);
  if (!room_wait_->is_waiting()) return ok_status();
  out_of_space_.store(true, std::memory_order_release);
  return {Code::no_space, "disk was full; what was written before is about to be flushed"};
}

// For those who may wait and found the gate shut: whether it is worth another try.
bool RocksdbEngine::await_reopening() {
  if (!serves_.load()) return false;
  guarded("open again", [&] { return revive(); }).ignore("the gate tells whether it is open");
  return !reviving_.load(std::memory_order_acquire) && serves_.load();
}

}  // namespace ringwright
