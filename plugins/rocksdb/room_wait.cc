#include "plugins/rocksdb/room_wait.h"

#include <rocksdb/env.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

namespace ringwright {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr std::chrono::milliseconds retry_every{10};

void add_threads(int count) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  rocksdb::Env& shared = *rocksdb::Env::Default();
  for (const auto kind : {rocksdb::Env::Priority::HIGH, rocksdb::Env::Priority::LOW})
    shared.SetBackgroundThreads(std::max(1, shared.GetBackgroundThreads(kind) + count), kind);
}

}  // namespace

// Where those stand who found none.
class RoomWait::Room {
 public:
  explicit Room(std::function<void()> full) : full_(std::move(full)) {}

  void begin() {
    const std::lock_guard lock(mutex_);
    may_wait_ = true;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    may_wait_ = false;
    changed_.notify_all();
  }
  bool is_waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_ > 0;
  }

  // `attempt` until it meets no full disk, or nobody may wait any more.
  template <typename Attempt>
  IOStatus patiently(const Attempt& attempt) {
    IOStatus status = attempt();
    if (!status.IsNoSpace() || !arrive()) return status;
    while (status.IsNoSpace() && pause()) status = attempt();
    leave();
    return status;
  }

 private:
  bool arrive() {
    const std::lock_guard lock(mutex_);
    if (!may_wait_) return false;
    ++waiting_;
    full_();
    return true;
  }
  bool pause() {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, retry_every, [this] { return !may_wait_; });
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --waiting_;
  }

  const std::function<void()> full_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool may_wait_ = false;
  int waiting_ = 0;
};

// The paths that flushes write just now.
class RoomWait::FlushFiles final : public rocksdb::EventListener {
 public:
  const char* Name() const override { return "ringwright.flush_files"; }

  void OnTableFileCreationStarted(const rocksdb::TableFileCreationBriefInfo& info) override {
    if (info.reason == rocksdb::TableFileCreationReason::kFlush) note(info);
  }
  void OnBlobFileCreationStarted(const rocksdb::BlobFileCreationBriefInfo& info) override {
    if (info.reason == rocksdb::BlobFileCreationReason::kFlush) note(info);
  }
  // The last of what a flush writes, under another name when there was nothing to write.
  void OnTableFileCreated(const rocksdb::TableFileCreationInfo& info) override {
    const std::lock_guard lock(mutex_);
    paths_by_job_.erase(info.job_id);
  }

  bool contains(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(paths_by_job_.begin(), paths_by_job_.end(),
                       [&](const auto& job) { return job.second.contains(path); });
  }

 private:
  void note(const rocksdb::FileCreationBriefInfo& info) {
    const std::lock_guard lock(mutex_);
    paths_by_job_[info.job_id].insert(info.file_path);
  }

  mutable std::mutex mutex_;
  std::map<int, std::set<std::string>> paths_by_job_;
};

class RoomWait::PatientFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  PatientFile(std::unique_ptr<rocksdb::FSWritableFile> file, rocksdb::FileSystem& files,
              std::string path, std::shared_ptr<Room> room)
      : FSWritableFileOwnerWrapper(std::move(file)),
        files_(files),
        path_(std::move(path)),
        room_(std::move(room)) {}

  IOStatus Append(const Slice& bytes, const IOOptions& options, IODebugContext* context) override {
    Slice rest = bytes;
    const IOStatus status = room_->patiently([&] {
      const IOStatus appended = target()->Append(rest, options, context);
      return appended.IsNoSpace() ? keep_what_fitted(appended, rest, options, context) : appended;
    });
    if (status.ok()) size_ += rest.size();
    return status;
  }
  IOStatus Append(const Slice& bytes, const IOOptions& options, const DataVerificationInfo&,
                  IODebugContext* context) override {
    return Append(bytes, options, context);
  }
  IOStatus PositionedAppend(const Slice& bytes, std::uint64_t offset, const IOOptions& options,
                            IODebugContext* context) override {
    return room_->patiently(
        [&] { return target()->PositionedAppend(bytes, offset, options, context); });
  }
  IOStatus PositionedAppend(const Slice& bytes, std::uint64_t offset, const IOOptions& options,
                            const DataVerificationInfo&, IODebugContext* context) override {
    return PositionedAppend(bytes, offset, options, context);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options,
                    IODebugContext* context) override {
    const IOStatus status = target()->Truncate(size, options, context);
    if (status.ok()) size_ = size;
    return status;
  }

 private:
  // A full disk takes what still fits. RocksDB's file does not count that as its own, and would cut
  // it off at its close, unless it is told to.
  IOStatus keep_what_fitted(const IOStatus& full, Slice& rest, const IOOptions& options,
                            IODebugContext* context) {
    std::uint64_t size = 0;
    IOStatus known = files_.GetFileSize(path_, options, &size, context);
    if (known.ok()) known = target()->Truncate(size, options, context);
    if (!known.ok()) return known;
    rest.remove_prefix(size - size_);
    size_ = size;
    return full;
  }

  rocksdb::FileSystem& files_;
  const std::string path_;
  const std::shared_ptr<Room> room_;
  std::uint64_t size_ = 0;  // of what was appended
};

RoomWait::RoomWait(std::string directory, std::function<void()> full)
    : FileSystemWrapper(rocksdb::FileSystem::Default()),
      directory_(std::move(directory)),
      room_(std::make_shared<Room>(std::move(full))),
      flush_files_(std::make_shared<FlushFiles>()) {}

RoomWait::~RoomWait() { end(); }

void RoomWait::begin(int jobs) {
  add_threads(jobs);
  lent_threads_.store(jobs);
  room_->begin();
}

void RoomWait::end() {
  room_->end();
  if (const int lent = lent_threads_.exchange(0); lent > 0) add_threads(-lent);
}

bool RoomWait::is_waiting() const { return room_->is_waiting(); }

std::shared_ptr<rocksdb::EventListener> RoomWait::listener() const { return flush_files_; }

IOStatus RoomWait::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                   std::unique_ptr<rocksdb::FSWritableFile>* result,
                                   IODebugContext* context) {
  const auto make = [&] { return target()->NewWritableFile(path, options, result, context); };
  if (!waits_for(path)) return make();
  const IOStatus made = room_->patiently(make);
  if (made.ok())
    *result = std::make_unique<PatientFile>(std::move(*result), *target(), path, room_);
  return made;
}

// That is how a manifest becomes the current one.
IOStatus RoomWait::RenameFile(const std::string& from, const std::string& to,
                              const IOOptions& options, IODebugContext* context) {
  const auto rename = [&] { return target()->RenameFile(from, to, options, context); };
  return waits_for(from) ? room_->patiently(rename) : rename();
}

bool RoomWait::waits_for(const std::string& path) const {
  const std::string_view whole = path;
  const std::size_t slash = whole.find_last_of('/');
  if (slash == whole.npos || whole.substr(0, slash) != directory_) return false;
  const std::string_view name = whole.substr(slash + 1);
  return name.starts_with("MANIFEST-") || name.ends_with(".dbtmp") || flush_files_->contains(path);
}

}  // namespace ringwright
