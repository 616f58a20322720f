#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "engine/base/status.h"
#include "engine/base/time.h"

namespace ringwright {

// Where the calls of a slow or pausable engine wait.
//
//   open <--> shut        calls of `pass` wait while it is shut
//      \--> let go --> closed
//
// Threads: any. Every wait ends: with its time, when the room opens or is let go, or with `closed`.
class WaitingRoom {
 public:
  void set_shut(bool shut);
  bool is_shut() const { return shut_.load(std::memory_order_acquire); }

  // Waits while the room is shut, but not longer than this: then it is `busy`.
  Status pass(Nanoseconds at_most);
  // Waits for this long, shut or not.
  Status rest(Nanoseconds duration);

  // How many calls wait.
  std::size_t waiting() const;

  // Nobody waits from now on.
  void let_go();
  // As `let_go`, but who waits and who comes later is told `closed`. When it returns, nobody waits.
  void close();

 private:
  enum class State : unsigned char { holding, let_go, closed };

  template <typename Condition>
  bool wait(std::unique_lock<std::mutex>& lock, Nanoseconds at_most, Condition&& is_over);
  Status closed_status() const;

  std::atomic<bool> shut_{false};  // changed under mutex_
  mutable std::mutex mutex_;       // guards what follows
  std::condition_variable changed_;
  std::condition_variable left_;
  State state_ = State::holding;
  std::size_t waiting_ = 0;
};

}  // namespace ringwright
