#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/disk.h"
#include "engine/base/random.h"

namespace ringwright {

enum class DiskFault : std::uint8_t {
  append_fails = 0,     // io_error; nothing of it is in the file
  append_doubtful = 1,  // io_error; a drawn part of it is in the file
  append_no_space = 2,  // no_space; nothing of it is in the file
  sync_fails = 3,       // io_error; nothing more is durable than before
  read_fails = 4,       // io_error
  replace_fails = 5,    // io_error; the old file stays
};
constexpr std::size_t disk_fault_kinds = 6;

// What lies on a disk, as a value: for backups, clones and comparison.
struct DiskImage {
  std::map<std::string, Bytes> files;
  friend bool operator==(const DiskImage&, const DiskImage&) = default;
};

// A disk in memory with the two kinds of forgetting: the death of a process loses nothing that was
// appended, a loss of power keeps of what was appended since the last sync of each file a drawn
// prefix, whose last append may be torn. Names, replaced and truncated files are durable at once,
// as `Disk` says.
//
// A process works on a mount. When it dies its mounts end: every later call through them fails and
// changes nothing, and their locks are released, whatever the dying objects still do.
//
// One thread.
class SimulatedDisk {
 public:
  explicit SimulatedDisk(SeededRandom random, bool failed_sync_drops_pages = false);
  ~SimulatedDisk();

  std::shared_ptr<Disk> mount();
  void end_mounts();  // the death of the process
  void power_cut();   // ends the mounts as well

  // A copy of what a reader sees now; the mounts go on.
  DiskImage image() const;
  // Ends the mounts; all of it durable.
  void restore(const DiskImage& image);
  void wipe() { restore({}); }

  // Every opportunity fails with this probability, or the next `times` do.
  void set_probability(DiskFault kind, double probability);
  void fail_next(DiskFault kind, std::uint64_t times = 1);
  void disarm();
  std::uint64_t fired(DiskFault kind) const;

  std::uint64_t unsynced_bytes() const;
  std::uint64_t syncs() const;

 private:
  class Platter;
  class Mount;
  class File;
  class Lock;
  std::shared_ptr<Platter> platter_;
};

}  // namespace ringwright
