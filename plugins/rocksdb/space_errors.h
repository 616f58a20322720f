#pragma once

#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace ringwright {

// What one open database meets for want of room, and that it does not resume by itself after a full
// disk has stopped it: it would look every five seconds whether there is room for one memtable, and
// its way to go on has holes (see RocksdbEngine::revive). The engine does that, when there is room
// for all that it keeps ahead, and at once. A compaction that lacked room stops nothing; RocksDB
// tries it again.
//
// Called from any thread; no exception leaves it.
class SpaceErrors final : public rocksdb::EventListener {
 public:
  const char* Name() const override { return "ringwright.space_errors"; }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status error,
                            bool* auto_recovery) override {
    if (is_hard(error)) *auto_recovery = false;
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    if (is_hard(*error)) has_stopped_.store(true);
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    compaction_lacks_room_.store(info.status.IsNoSpace());
  }

  // Some error has stopped the database for good.
  bool has_stopped() const { return has_stopped_.load(); }
  // The last compaction found no room. Writers who are stopped then wait for that as well.
  bool compaction_lacks_room() const { return compaction_lacks_room_.load(); }

 private:
  static bool is_hard(const rocksdb::Status& error) {
    return error.severity() >= rocksdb::Status::Severity::kHardError;
  }

  std::atomic<bool> has_stopped_{false};
  std::atomic<bool> compaction_lacks_room_{false};
};

// Where RocksDB is asked to resume after a compaction, it would resume after a later hard error as
// well, as soon as it sees free space. So it sees none after one.
class UnresumedFiles final : public rocksdb::FileSystemWrapper {
 public:
  UnresumedFiles(std::shared_ptr<rocksdb::FileSystem> files, std::shared_ptr<SpaceErrors> errors)
      : FileSystemWrapper(std::move(files)), errors_(std::move(errors)) {}

  const char* Name() const override { return "ringwright.unresumed_files"; }
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 std::uint64_t* free, rocksdb::IODebugContext* context) override {
    if (errors_->has_stopped()) return rocksdb::IOStatus::IOError("stopped by an error");
    return target()->GetFreeSpace(path, options, free, context);
  }

 private:
  const std::shared_ptr<SpaceErrors> errors_;
};

}  // namespace ringwright
