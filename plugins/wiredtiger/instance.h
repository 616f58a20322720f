#pragma once

#include <wiredtiger.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/ballast.h"
#include "engine/base/disk.h"
#include "engine/base/status.h"
#include "plugins/wiredtiger/damaged_places.h"
#include "plugins/wiredtiger/events.h"
#include "plugins/wiredtiger/file_system.h"
#include "plugins/wiredtiger/options.h"
#include "plugins/wiredtiger/session_pool.h"

namespace ringwright {

// One connection, and what the calls and iterators on it share: whoever holds the instance last
// closes the connection.
class Instance {
 public:
  // Opens or creates what lies in `directory`, after recovering it. `lock` is the directory's; once
  // `ends` is set, nothing waits for room on the disk.
  static Result<std::shared_ptr<Instance>> open(const WiredtigerOptions& options,
                                                const std::string& directory,
                                                std::shared_ptr<DirectoryLock> lock,
                                                std::shared_ptr<DamagedPlaces> damage,
                                                std::shared_ptr<Ballast> ballast,
                                                std::shared_ptr<const std::atomic<bool>> ends);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Writes a last checkpoint, unless there was trouble. Idempotent; nobody may be inside.
  // After trouble WiredTiger's own close may never return: then it is left behind, cut off from its
  // files, and costs its memory until the process ends.
  Status close();
  // After trouble: what it has begun reaches the disk no more.
  void sever() { files_->sever(); }

  SessionPool& sessions() { return *sessions_; }
  Events& events() { return *events_; }
  Trouble trouble() const { return events_->trouble(); }
  DamagedPlaces& damage() { return *damage_; }
  // For iterators: the engine was closed under them.
  bool is_retired() const { return retired_.load(std::memory_order_relaxed); }
  void retire() { retired_.store(true); }

  // An error of WiredTiger as a status, with what is known of a panic.
  Status to_status(int error, std::string_view what) const;
  // A session for a call; busy when there are none left.
  Result<SessionPool::Lease> take_session();

 private:
  Instance(const std::string& directory, std::shared_ptr<DirectoryLock> lock,
           std::shared_ptr<DamagedPlaces> damage, std::shared_ptr<Ballast> ballast,
           std::shared_ptr<const std::atomic<bool>> ends);
  Status connect(const WiredtigerOptions& options);
  bool close_in_trouble(WT_CONNECTION* connection);

  const std::shared_ptr<DirectoryLock> lock_;
  const std::shared_ptr<DamagedPlaces> damage_;
  const std::string directory_;
  const std::shared_ptr<Events> events_;
  const std::shared_ptr<FileSystem> files_;
  WT_CONNECTION* connection_ = nullptr;
  std::optional<SessionPool> sessions_;
  std::atomic<bool> retired_{false};
};

}  // namespace ringwright
