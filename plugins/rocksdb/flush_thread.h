#pragma once

#include <rocksdb/db.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace ringwright {

// Flushes a database in a thread of its own, for callers who may not wait as long as a flush does
// that waits for room (see RoomWait). Those who ask while one is under way share the next.
class FlushThread {
 public:
  FlushThread(rocksdb::DB& db, const rocksdb::FlushOptions& options) : db_(db), options_(options) {}
  // Waits for the flush under way.
  ~FlushThread();
  FlushThread(const FlushThread&) = delete;
  FlushThread& operator=(const FlushThread&) = delete;

  // Whatever was written before the call. Nothing when `gives_up` was true first, which is asked
  // every few milliseconds: then the flush goes on by itself. Throws when there is no thread to be
  // had. Threads: any.
  std::optional<rocksdb::Status> flush(const std::function<bool()>& gives_up);

 private:
  void run();

  rocksdb::DB& db_;
  const rocksdb::FlushOptions options_;
  std::mutex mutex_;
  std::condition_variable asked_;
  std::condition_variable ended_;
  // A flush that began at or after a request counts for it.
  std::uint64_t last_asked_ = 0;
  std::uint64_t last_ended_ = 0;
  rocksdb::Status status_;  // of the last one
  bool stops_ = false;
  std::thread thread_;  // from the first request on
};

}  // namespace ringwright
