#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/disk.h"
#include "engine/base/status.h"

namespace ringwright {

// The directory of a database, and what the engine has there beside WiredTiger's files: the mark of
// whose it is, the number of opens, the mark of a copy that is being made.
class Directory {
 public:
  Directory() = default;
  // `path` must be a real one of this disk.
  Directory(std::shared_ptr<Disk> disk, std::string path);

  // Makes it if need be, locks it, and leaves it so that WiredTiger goes on with what lies there or
  // begins anew only where nothing was. `corrupt` names a file that is missing.
  Result<std::shared_ptr<DirectoryLock>> claim() const;
  // The rest is for whoever holds that lock.

  const std::string& real_path() const { return real_path_; }
  std::string ballast() const;
  Result<bool> has_log() const;
  // Before WiredTiger is opened: takes away what is left of a copy that was not completed.
  Status forget_copying() const;

  // Each open counts its writes from a number of its own, so that none is given twice. Call it
  // once WiredTiger has made all its files.
  Result<std::uint64_t> next_start() const;

  // Around the making of a copy. While one is made its index stands here, and WiredTiger would go
  // back to that one after a crash.
  Status begin_copy() const;
  Status end_copy() const;
  // The empty directory `path` for a copy; its real path.
  Result<std::string> make_target(const std::string& path) const;
  // What makes a copy of WiredTiger's files an engine's directory.
  Status complete_copy(const std::string& path) const;

 private:
  using Names = std::vector<std::string>;

  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  Status check_not_headless(const Names& names) const;
  Status forget_first_open(const Names& names) const;

  std::shared_ptr<Disk> disk_;
  std::string path_;  // on the disk
  std::string real_path_;
};

}  // namespace ringwright
