#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/status.h"

namespace ringwright {

// A file open for appending. What was appended survives the death of the process at once and a loss
// of power only after `sync`. An append that answers `no_space` left the file as it was, and may be
// repeated. After any other failed append or sync the file takes no more: the kernel may have
// dropped the pages, so repeating the sync proves nothing. One thread may append while another
// syncs; a sync covers the appends that returned before it began.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  virtual Status append(ByteView bytes) = 0;
  virtual Status sync() = 0;
  virtual std::uint64_t size() const = 0;
};

// Held while open; released when destroyed.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

// The only way to files. Paths are relative to the disk's root, with '/' between parts. Calls may
// block and may come from several threads. Absence is `std::nullopt` or false, never an error.
class Disk {
 public:
  virtual ~Disk() = default;
  virtual Status make_directories(const std::string& path) = 0;
  // Opens at the end, or creates. A new file's name is durable when this returns.
  virtual Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  // The whole file; `invalid` when there is none.
  virtual Result<Bytes> read(const std::string& path) = 0;
  // Cuts the file to its first `size` bytes and syncs it.
  virtual Status truncate(const std::string& path, std::uint64_t size) = 0;
  // Puts a whole file in place at once: after a loss of power it is either the old or the new one.
  virtual Status replace(const std::string& path, ByteView content) = 0;
  virtual Status remove(const std::string& path) = 0;
  // Names in a directory, sorted; empty when it does not exist.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  // `locked`, naming the holder, when another process or handle has it.
  virtual Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) = 0;
  // Where engines with files of their own keep them; empty when this disk has no real directory.
  virtual std::string real_path(const std::string& path) const = 0;
};

std::shared_ptr<Disk> make_posix_disk(const std::string& root);

}  // namespace ringwright
