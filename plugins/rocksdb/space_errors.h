#pragma once

#include <rocksdb/listener.h>

#include <atomic>

namespace ringwright {

// Keeps RocksDB from resuming by itself after a full disk has stopped it: it would look every five
// seconds whether there is room for one memtable. The engine does that, when there is room for all
// that it keeps ahead, and at once. A compaction that lacked room stops nothing; RocksDB tries it
// again.
//
// Called from any thread; no exception leaves it.
class SpaceErrors final : public rocksdb::EventListener {
 public:
  const char* Name() const override { return "ringwright.space_errors"; }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status error,
                            bool* auto_recovery) override {
    if (error.severity() >= rocksdb::Status::Severity::kHardError) *auto_recovery = false;
  }
  void OnCompactionCompleted(rocksdb::DB* /*database*/,
                             const rocksdb::CompactionJobInfo& info) override {
    compaction_lacks_room_.store(info.status.IsNoSpace());
  }

  // The last compaction found no room. Writers whom RocksDB stalls then wait for that as well.
  bool compaction_lacks_room() const { return compaction_lacks_room_.load(); }

 private:
  std::atomic<bool> compaction_lacks_room_{false};
};

}  // namespace ringwright
