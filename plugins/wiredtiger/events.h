#pragma once

#include <wiredtiger.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/bounded_file.h"
#include "engine/base/clock.h"

namespace ringwright {

// Why WiredTiger gave up. After a panic every one of its calls fails until the connection is opened
// again, and after some failures of a checkpoint all that write a block; whether it may be opened
// again depends on what came before.
enum class Trouble : unsigned char {
  none,
  full,     // the disk had no room: open again once it has
  corrupt,  // a block failed its checksum: open again, and do not read it again
  failed,   // the disk failed, or a sync did: what is in the log is not known
};

// What WiredTiger says: its messages go to the file LOG of the directory and nowhere else, its
// errors also tell what trouble a panic comes from. One for each connection, which it outlives.
class Events final : public WT_EVENT_HANDLER {
 public:
  // `at_checkpoint`: called in the thread of a checkpoint once it has written its rows and before
  // it counts; false when it must not.
  Events(const std::string& directory, std::function<bool()> at_checkpoint);
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  void note(std::string_view line);
  // Nothing more goes to LOG, which another connection has taken over.
  void silence() { is_silent_.store(true); }
  // An error that WiredTiger will hear of, more precisely than it can tell.
  void tell(int error, const std::string& message);
  Trouble trouble() const { return trouble_.load(std::memory_order_acquire); }
  // Whether there was no room for a write of late. Before it panics WiredTiger also tries again and
  // again, and holds up whoever needs what it wants to write.
  bool lacks_space() const;
  void fail() { trouble_.store(Trouble::failed, std::memory_order_release); }

 private:
  static int on_error(WT_EVENT_HANDLER* self, WT_SESSION*, int error, const char* message);
  static int on_message(WT_EVENT_HANDLER* self, WT_SESSION*, const char* message);
  void take_error(int error, std::string_view message);
  void take_message(std::string_view message);
  void blame(int error, std::string_view message);
  void give_up();

  const std::unique_ptr<BoundedFile> file_;
  const std::function<bool()> at_checkpoint_;
  std::atomic<Trouble> last_cause_{Trouble::failed};  // of a panic that may follow
  std::atomic<Trouble> trouble_{Trouble::none};
  std::atomic<bool> is_silent_{false};
  std::atomic<Instant> space_missed_{0};  // when, last
  const std::shared_ptr<Clock> clock_ = make_system_clock();
};

// The last error that WiredTiger reported in this thread since this was asked before.
struct LastError {
  std::string said;  // without its stamp; empty when there was none
  bool is_damage = false;
};
LastError take_last_error();

// A handler for calls without a connection: keeps the first error of the thread and writes nothing.
WT_EVENT_HANDLER* quiet_events();

}  // namespace ringwright
