#include "plugins/rocksdb/severable_files.h"

#include <cstdint>
#include <utility>

namespace ringwright {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::FileOptions;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

template <typename Call>
IOStatus unless_severed(CallGate& gate, const Call& call) {
  const CallGate::Pass pass(gate);
  return pass ? call() : IOStatus::IOError("the directory was opened anew by another instance");
}

// Closing is left alone: it cuts off what was set aside beyond the end, in a file whose number no
// later instance gives to another, because an open takes a number above all that it finds.
class SeverableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  SeverableFile(std::unique_ptr<FSWritableFile> file, CallGate& gate)
      : FSWritableFileOwnerWrapper(std::move(file)), gate_(gate) {}

  IOStatus Append(const Slice& bytes, const IOOptions& options, IODebugContext* context) override {
    return change([&] { return target()->Append(bytes, options, context); });
  }
  IOStatus Append(const Slice& bytes, const IOOptions& options,
                  const DataVerificationInfo& verification, IODebugContext* context) override {
    return change([&] { return target()->Append(bytes, options, verification, context); });
  }
  IOStatus PositionedAppend(const Slice& bytes, std::uint64_t offset, const IOOptions& options,
                            IODebugContext* context) override {
    return change([&] { return target()->PositionedAppend(bytes, offset, options, context); });
  }
  IOStatus PositionedAppend(const Slice& bytes, std::uint64_t offset, const IOOptions& options,
                            const DataVerificationInfo& verification,
                            IODebugContext* context) override {
    return change(
        [&] { return target()->PositionedAppend(bytes, offset, options, verification, context); });
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options,
                    IODebugContext* context) override {
    return change([&] { return target()->Truncate(size, options, context); });
  }

 private:
  template <typename Call>
  IOStatus change(const Call& call) {
    return unless_severed(gate_, call);
  }

  CallGate& gate_;
};

// Hands on how the file was made.
IOStatus made_severable(IOStatus made, std::unique_ptr<FSWritableFile>* file, CallGate& gate) {
  if (made.ok()) *file = std::make_unique<SeverableFile>(std::move(*file), gate);
  return made;
}

}  // namespace

SeverableFiles::SeverableFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {
  gate_.open();
}

bool SeverableFiles::sever_within(Nanoseconds wait) {
  if (!gate_.shut_within(wait)) return false;
  const std::lock_guard guard(lock_mutex_);
  if (lock_ == nullptr) return true;
  return target()->UnlockFile(std::exchange(lock_, nullptr), IOOptions(), nullptr).ok();
}

IOStatus SeverableFiles::NewWritableFile(const std::string& path, const FileOptions& options,
                                         std::unique_ptr<FSWritableFile>* result,
                                         IODebugContext* context) {
  return unless_severed(gate_, [&] {
    return made_severable(target()->NewWritableFile(path, options, result, context), result, gate_);
  });
}

IOStatus SeverableFiles::ReopenWritableFile(const std::string& path, const FileOptions& options,
                                            std::unique_ptr<FSWritableFile>* result,
                                            IODebugContext* context) {
  return unless_severed(gate_, [&] {
    return made_severable(target()->ReopenWritableFile(path, options, result, context), result,
                          gate_);
  });
}

IOStatus SeverableFiles::ReuseWritableFile(const std::string& path, const std::string& old_path,
                                           const FileOptions& options,
                                           std::unique_ptr<FSWritableFile>* result,
                                           IODebugContext* context) {
  return unless_severed(gate_, [&] {
    return made_severable(target()->ReuseWritableFile(path, old_path, options, result, context),
                          result, gate_);
  });
}

// RocksDB writes nothing of its own through such a file; it sets the number of a table that is
// taken in from elsewhere.
IOStatus SeverableFiles::NewRandomRWFile(const std::string& path, const FileOptions& options,
                                         std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                                         IODebugContext* context) {
  return unless_severed(gate_,
                        [&] { return target()->NewRandomRWFile(path, options, result, context); });
}

// A severed instance takes the files of a later one for its own that nobody needs. That is not
// worth an error in the log for each.
IOStatus SeverableFiles::DeleteFile(const std::string& path, const IOOptions& options,
                                    IODebugContext* context) {
  const CallGate::Pass pass(gate_);
  return pass ? target()->DeleteFile(path, options, context) : IOStatus::OK();
}

IOStatus SeverableFiles::Truncate(const std::string& path, std::size_t size,
                                  const IOOptions& options, IODebugContext* context) {
  return unless_severed(gate_, [&] { return target()->Truncate(path, size, options, context); });
}

IOStatus SeverableFiles::DeleteDir(const std::string& path, const IOOptions& options,
                                   IODebugContext* context) {
  return unless_severed(gate_, [&] { return target()->DeleteDir(path, options, context); });
}

IOStatus SeverableFiles::RenameFile(const std::string& from, const std::string& to,
                                    const IOOptions& options, IODebugContext* context) {
  return unless_severed(gate_, [&] { return target()->RenameFile(from, to, options, context); });
}

IOStatus SeverableFiles::LinkFile(const std::string& from, const std::string& to,
                                  const IOOptions& options, IODebugContext* context) {
  return unless_severed(gate_, [&] { return target()->LinkFile(from, to, options, context); });
}

IOStatus SeverableFiles::LockFile(const std::string& path, const IOOptions& options,
                                  rocksdb::FileLock** lock, IODebugContext* context) {
  const std::lock_guard guard(lock_mutex_);
  IOStatus locked = target()->LockFile(path, options, lock, context);
  if (locked.ok()) lock_ = *lock;
  return locked;
}

IOStatus SeverableFiles::UnlockFile(rocksdb::FileLock* lock, const IOOptions& options,
                                    IODebugContext* context) {
  const std::lock_guard guard(lock_mutex_);
  if (lock != lock_) return IOStatus::OK();  // was given up when it was severed
  return target()->UnlockFile(std::exchange(lock_, nullptr), options, context);
}

}  // namespace ringwright
