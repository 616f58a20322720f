#include "plugins/wiredtiger/caretaker.h"

#include <chrono>
#include <utility>

#include "engine/base/limits.h"

namespace ringwright {

void Caretaker::stop() {
  while (!stop_within(limits::wiredtiger_close_deadline)) continue;
}

void Caretaker::start(std::function<void()> tick) {
  tick_ = std::move(tick);
  thread_ = std::thread([this] { run(); });
}

bool Caretaker::stop_within(Nanoseconds wait) {
  if (!thread_.joinable()) return true;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    const std::chrono::nanoseconds most(wait);
    if (!changed_.wait_for(lock, most, [this] { return ended_; })) return false;
  }
  thread_.join();
  return true;
}

void Caretaker::run() {
  constexpr std::chrono::nanoseconds interval(limits::wiredtiger_tick);
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, interval, [this] { return stopping_; })) {
    lock.unlock();
    tick_();
    lock.lock();
  }
  ended_ = true;
  changed_.notify_all();
}

}  // namespace ringwright
