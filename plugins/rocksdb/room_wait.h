#pragma once

#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace ringwright {

// Lets RocksDB's background wait where the disk is full, in place of an error, while it moves rows
// from memory to tables. For class `none`: without logs nothing but those memtables has the rows,
// and RocksDB does not come back from such an error with all of them. In 7.8.3 a flush that was
// about to begin when the error came is forgotten, so that `Resume` waits for ever; and once
// it has resumed, every later `Flush` answers success before it has flushed.
//
// What waits: the tables that a flush writes, and the manifest. Not the output of compactions,
// whose error is harmless and gives back its room; not a sync, which may have lost pages and fails
// for good.
class RoomWait final : public rocksdb::FileSystemWrapper {
 public:
  // Of the files in `directory`. `full` is called by a background thread that is about to wait,
  // never once `end` has returned; no exception may leave it.
  RoomWait(std::string directory, std::function<void()> full);
  ~RoomWait() override;

  // Nobody waits before `begin`, so that an open on a full disk fails; nor after `end`, which
  // hands those who wait their error, so that a database can be closed. In between RocksDB has
  // `jobs` more threads for each kind of job: all databases of the process share them, and those
  // that wait are missing there. Threads: any.
  void begin(int jobs);
  void end();
  // Whether a thread waits for room just now.
  bool is_waiting() const;

  // To be given to the database: tells which files a flush writes.
  std::shared_ptr<rocksdb::EventListener> listener() const;

  const char* Name() const override { return "ringwright.room_wait"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* context) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override;

 private:
  class Room;
  class FlushFiles;
  class PatientFile;

  bool waits_for(const std::string& path) const;

  const std::string directory_;
  const std::shared_ptr<Room> room_;
  const std::shared_ptr<FlushFiles> flush_files_;
  std::atomic<int> lent_threads_{0};
};

}  // namespace ringwright
