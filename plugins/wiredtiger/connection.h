#pragma once

#include <wiredtiger.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/disk.h"
#include "engine/base/status.h"
#include "plugins/wiredtiger/damaged_places.h"
#include "plugins/wiredtiger/events.h"
#include "plugins/wiredtiger/file_system.h"
#include "plugins/wiredtiger/options.h"
#include "plugins/wiredtiger/session_pool.h"
#include "plugins/wiredtiger/store.h"

namespace ringwright {

// A connection of WiredTiger's with its files and sessions: whoever holds it last closes it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // Opens or creates what lies in the store's directory, after recovering it. `lock` is that
  // directory's.
  static Result<std::shared_ptr<Connection>> open(const WiredtigerOptions& options,
                                                  const Store& store,
                                                  std::shared_ptr<DirectoryLock> lock);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Writes a last checkpoint, unless there was trouble. Idempotent; nobody may be inside.
  // After trouble WiredTiger's own close may never return: then it is left behind, cut off from its
  // files, and costs its memory until the process ends.
  Status close();
  // After trouble: what it has begun reaches the disk no more. False when that cannot be said
  // in time, for a call to the system has not come back.
  bool sever();
  bool is_severed() const { return severed_; }
  // With calls inside that may never return: it stays, with `caller`, until the process ends. Where
  // it is severed it holds its directory no more.
  void leave(std::shared_ptr<void> caller);
  // Unless there was trouble, in which case it fails. `sever` waits for it.
  Status while_whole(const std::function<Status()>& call);

  SessionPool& sessions() { return *sessions_; }
  Events& events() { return *events_; }
  Trouble trouble() const { return events_->trouble(); }
  DamagedPlaces& damage() { return *damage_; }
  // For iterators: the engine was closed under them.
  bool is_retired() const { return retired_.load(std::memory_order_relaxed); }
  void retire() { retired_.store(true); }

  // An error of WiredTiger as a status, with what is known of a panic.
  Status to_status(int error, std::string_view what) const;
  // Why a session could not be taken: busy when there are none left.
  Status no_session(int error) const;

 private:
  Connection(const Store& store, std::shared_ptr<DirectoryLock> lock);
  Status connect(const WiredtigerOptions& options);
  Status leave_closed();

  std::shared_ptr<DirectoryLock> lock_;
  const std::shared_ptr<DamagedPlaces> damage_;
  const std::string directory_;
  const Nanoseconds patience_;
  const std::shared_ptr<Events> events_;
  const std::shared_ptr<FileSystem> files_;
  WT_CONNECTION* connection_ = nullptr;
  std::optional<SessionPool> sessions_;
  bool severed_ = false;
  std::atomic<bool> retired_{false};
};

// Lets other processes open a directory that a connection was left behind in. None of this process
// may have it open.
void unlock_left_behind(const std::string& directory);

}  // namespace ringwright
