#include "plugins/rocksdb/log_watch.h"

#include <string_view>
#include <utility>

namespace ringwright {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class WatchedLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WatchedLog(std::unique_ptr<rocksdb::FSWritableFile> file, const std::function<void()>& full)
      : FSWritableFileOwnerWrapper(std::move(file)), full_(full) {}

  IOStatus Append(const Slice& bytes, const IOOptions& options, IODebugContext* context) override {
    return watched(target()->Append(bytes, options, context));
  }
  IOStatus Append(const Slice& bytes, const IOOptions& options,
                  const DataVerificationInfo& verification, IODebugContext* context) override {
    return watched(target()->Append(bytes, options, verification, context));
  }
  IOStatus PositionedAppend(const Slice& bytes, std::uint64_t offset, const IOOptions& options,
                            IODebugContext* context) override {
    return watched(target()->PositionedAppend(bytes, offset, options, context));
  }
  IOStatus PositionedAppend(const Slice& bytes, std::uint64_t offset, const IOOptions& options,
                            const DataVerificationInfo& verification,
                            IODebugContext* context) override {
    return watched(target()->PositionedAppend(bytes, offset, options, verification, context));
  }

 private:
  IOStatus watched(IOStatus status) {
    if (status.IsNoSpace()) full_();
    return status;
  }

  const std::function<void()> full_;
};

}  // namespace

LogWatch::LogWatch(std::shared_ptr<rocksdb::FileSystem> files, std::string directory,
                   std::function<void()> full)
    : FileSystemWrapper(std::move(files)),
      directory_(std::move(directory)),
      full_(std::move(full)) {}

IOStatus LogWatch::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                   std::unique_ptr<rocksdb::FSWritableFile>* result,
                                   IODebugContext* context) {
  const IOStatus made = target()->NewWritableFile(path, options, result, context);
  if (made.ok() && is_log(path)) *result = std::make_unique<WatchedLog>(std::move(*result), full_);
  return made;
}

// Not those that a checkpoint copies.
bool LogWatch::is_log(const std::string& path) const {
  const std::string_view whole = path;
  const std::size_t slash = whole.find_last_of('/');
  return whole.ends_with(".log") && slash != whole.npos && whole.substr(0, slash) == directory_;
}

}  // namespace ringwright
