#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/base/time.h"

namespace ringwright {

// A thread that calls `tick` every `limits::wiredtiger_tick` until it is stopped.
class Caretaker {
 public:
  ~Caretaker() { stop(); }
  void start(std::function<void()> tick);
  bool is_started() const { return thread_.joinable(); }
  // Waits for the tick under way. Idempotent.
  void stop();
  // Waits for it for so long at most; false when it has not ended. Idempotent.
  bool stop_within(Nanoseconds wait);
  // Of a tick that will never return.
  void leave() { thread_.detach(); }

 private:
  void run();

  std::function<void()> tick_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace ringwright
