#pragma once

#include <rocksdb/listener.h>

#include <atomic>

namespace ringwright {

// What one open database meets for want of room, and that it never resumes by itself: its way to go
// on has holes (see RocksdbEngine::revive), and a close that meets its beginning waits for ever
// while there is no room (seen in 7.8.3). The engine goes on, when there is room for all that it
// keeps ahead, and at once. A compaction that lacked room stops nothing; RocksDB tries it again.
//
// Called from any thread; no exception leaves it.
class SpaceErrors final : public rocksdb::EventListener {
 public:
  const char* Name() const override { return "ringwright.space_errors"; }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    if (error->severity() >= rocksdb::Status::Severity::kHardError) has_stopped_.store(true);
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    compaction_lacks_room_.store(info.status.IsNoSpace());
  }

  // Some error has stopped the database for good.
  bool has_stopped() const { return has_stopped_.load(); }
  // The last compaction found no room. Writers who are stopped then wait for that as well.
  bool compaction_lacks_room() const { return compaction_lacks_room_.load(); }

 private:
  std::atomic<bool> has_stopped_{false};
  std::atomic<bool> compaction_lacks_room_{false};
};

}  // namespace ringwright
