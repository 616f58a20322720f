#include "plugins/wiredtiger/caretaker.h"

#include <chrono>
#include <utility>

#include "engine/base/limits.h"

namespace ringwright {

void Caretaker::start(std::function<void()> tick) {
  tick_ = std::move(tick);
  thread_ = std::thread([this] { run(); });
}

void Caretaker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Caretaker::run() {
  constexpr std::chrono::nanoseconds interval(limits::wiredtiger_tick);
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, interval, [this] { return stopping_; })) {
    lock.unlock();
    tick_();
    lock.lock();
  }
}

}  // namespace ringwright
