#pragma once

#include <wiredtiger.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/ballast.h"
#include "engine/base/call_gate.h"
#include "engine/base/clock.h"
#include "plugins/wiredtiger/events.h"

namespace ringwright {

// The files of one connection, as WiredTiger's own but for a full disk: a log record, a page or a
// checkpoint that finds no room ends WiredTiger. So what finds none takes some of the ballast, and
// when that is used up waits for room until `limits::wiredtiger_room_deadline`.
class FileSystem final : public WT_FILE_SYSTEM {
 public:
  // `ends`: set once nothing shall wait for room any more.
  FileSystem(std::string directory, std::shared_ptr<Events> events,
             std::shared_ptr<Ballast> ballast, std::shared_ptr<const std::atomic<bool>> ends);
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  // The entry of wiredtiger_open's `extensions` by which a connection takes its files from here.
  static std::string extension();
  // What a wiredtiger_open in this thread takes, for the length of this.
  class Offer {
   public:
    explicit Offer(FileSystem& files);
    ~Offer();
    Offer(const Offer&) = delete;
    Offer& operator=(const Offer&) = delete;
  };

  // Once it has answered true, the connection changes nothing on the disk, whatever it tries. False
  // when a call to the system has not come back by then; nothing more is begun all the same.
  bool sever_within(Nanoseconds wait);
  // Calls, unless severed; `sever_within` waits for it. False when severed.
  bool unless_severed(const std::function<void()>& call);

  // For tests: is called in the calling thread, where `sever_within` does not wait for it, before
  // the calls "read", "write", "sync" and "close" of a file, and after two as "written", "synced".
  using Watcher = void (*)(std::string_view call, const char* name);
  static void watch(Watcher watcher);

  // For the files themselves. Calls, if that is still allowed; 0, or why it fails.
  template <typename Call>
  int change(const Call& call);
  // Likewise, until it finds room.
  template <typename Call>
  int with_room(std::uint64_t bytes, const Call& call);
  // The same for a name: it may lack something else than bytes, which no ballast holds.
  template <typename Call>
  int with_room_for_name(const Call& call);
  // Whether a file may take so much in advance, and leave what writes leave.
  bool has_room_for(std::uint64_t bytes) const;
  bool is_severed() const { return severed_.load(std::memory_order_relaxed); }
  // Notes what failed, and hands the error on.
  int failed(std::string_view call, const char* name, int error);
  // What it was to sync may be lost, whatever comes.
  int sync_failed(const char* name, int error);

 private:
  template <typename Call>
  int until_room(const Call& call, std::uint64_t bytes, int pieces);
  bool wait_for_room(Instant& deadline);

  const std::string directory_;
  const std::shared_ptr<Events> events_;
  const std::shared_ptr<Ballast> ballast_;
  const std::shared_ptr<Clock> clock_ = make_system_clock();
  const std::shared_ptr<const std::atomic<bool>> ends_;
  std::atomic<bool> severed_{false};
  std::atomic<bool> sync_failed_{false};  // what was to be synced is lost, so nothing may follow
  CallGate gate_;                         // shut once severed
};

}  // namespace ringwright
