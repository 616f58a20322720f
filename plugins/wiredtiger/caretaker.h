#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace ringwright {

// A thread that calls `tick` every `limits::wiredtiger_tick` until it is stopped.
class Caretaker {
 public:
  ~Caretaker() { stop(); }
  void start(std::function<void()> tick);
  // Waits for the tick under way. Idempotent.
  void stop();

 private:
  void run();

  std::function<void()> tick_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ringwright
