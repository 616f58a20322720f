#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "engine/base/disk.h"
#include "engine/memory/log_format.h"
#include "engine/storage_engine.h"

namespace ringwright {

// The log files `log.<n>` of one directory. The file with the greatest number is the log: it was
// put in place whole, snapshot and all, so one with a lower number is merely not removed yet.
//
// 1. Every write up to `appended_` is in the current file; those up to `synced_` rest on the disk.
// 2. At most one disk sync runs at a time; who comes meanwhile waits for it, then looks again.
// 3. After a failure that leaves the file's content unknown, nothing is appended or synced.
//
// Threads: `append` and `rewrite` come from one thread at a time, as the caller arranges; `sync`
// and the rest from any, at any time.
class AppendLog {
 public:
  // `durability`: of the writes to come.
  AppendLog(std::shared_ptr<Disk> disk, std::string path, Durability durability);

  // Replays the newest log file through `visit`, cuts a torn tail off, removes older files; creates
  // the first file in an empty directory.
  Status open(const LogVisitor& visit);

  // Puts the record in the file, not further. `no_space`: certainly nothing happened. `in_doubt`:
  // the bytes may be there; the log has failed.
  Status append(std::uint64_t sequence, std::span<const LogOperation> operations);

  // Makes the records up to `sequence` survive a loss of power. `would_block` only when that
  // needs a disk sync, or the wait for one.
  Status sync(std::uint64_t sequence, MayBlock may_block);

  // Goes on in a new file that begins with `snapshot`, header included, which contains every write
  // up to `base_sequence`. After a failure the old file stays the log, or the log has failed.
  Status rewrite(std::uint64_t base_sequence, ByteView snapshot);

  Status failure() const;
  // The file was begun by an older version, so `append` must wait for a `rewrite`.
  bool has_old_format() const { return has_old_format_; }
  std::uint64_t base_sequence() const;
  std::uint64_t last_sequence() const;
  std::uint64_t file_bytes() const;

 private:
  std::string file_name(std::uint64_t number) const;
  Status replay(const LogVisitor& visit);
  Status fail(const Status& cause);

  const std::shared_ptr<Disk> disk_;
  const std::string path_;
  const Durability durability_;
  bool has_old_format_ = false;  // changed by `open` only

  mutable std::mutex mutex_;  // guards all below; not held during a disk call
  std::condition_variable sync_ended_;
  std::shared_ptr<AppendFile> file_;
  std::uint64_t number_ = 0;
  std::uint64_t base_ = 0;
  std::uint64_t appended_ = 0;
  std::uint64_t synced_ = 0;
  bool syncing_ = false;
  Status failure_;
};

}  // namespace ringwright
