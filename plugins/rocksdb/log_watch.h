#pragma once

#include <rocksdb/file_system.h>

#include <functional>
#include <memory>
#include <string>

namespace ringwright {

// Tells that a log met a full disk before RocksDB hears of it. RocksDB takes it for an error in the
// program that another thread syncs a log whose write has just failed, and its builds with
// assertions end the process (seen in 7.8.3); so whoever syncs must know first.
//
// `full` is called by the thread that writes, which waits for it; no exception may leave it.
class LogWatch final : public rocksdb::FileSystemWrapper {
 public:
  // Of the logs in `directory`, which lie in `files`.
  LogWatch(std::shared_ptr<rocksdb::FileSystem> files, std::string directory,
           std::function<void()> full);

  const char* Name() const override { return "ringwright.log_watch"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* context) override;

 private:
  bool is_log(const std::string& path) const;

  const std::string directory_;
  const std::function<void()> full_;
};

}  // namespace ringwright
