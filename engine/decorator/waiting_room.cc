#include "engine/decorator/waiting_room.h"

#include <chrono>

#include "engine/base/units.h"

namespace ringwright {

Status WaitingRoom::closed_status() const {
  return state_ == State::closed ? Status{Code::closed, "the engine was closed"} : ok_status();
}

// False: the time was over first.
template <typename Condition>
bool WaitingRoom::wait(std::unique_lock<std::mutex>& lock, Nanoseconds at_most,
                       Condition&& is_over) {
  ++waiting_;
  const bool over = changed_.wait_for(lock, std::chrono::nanoseconds(at_most),
                                      [&] { return state_ != State::holding || is_over(); });
  if (--waiting_ == 0) left_.notify_all();
  return over;
}

Status WaitingRoom::pass(Nanoseconds at_most) {
  std::unique_lock lock(mutex_);
  if (!wait(lock, at_most, [this] { return !shut_; }))
    return {Code::busy, "the engine has been paused for " + format_duration(at_most)};
  return closed_status();
}

Status WaitingRoom::rest(Nanoseconds duration) {
  std::unique_lock lock(mutex_);
  wait(lock, duration, [] { return false; });
  return closed_status();
}

std::size_t WaitingRoom::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

void WaitingRoom::set_shut(bool shut) {
  {
    const std::lock_guard lock(mutex_);
    shut_ = shut && state_ == State::holding;
  }
  changed_.notify_all();
}

void WaitingRoom::let_go() {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::holding) state_ = State::let_go;
    shut_ = false;
  }
  changed_.notify_all();
}

void WaitingRoom::close() {
  std::unique_lock lock(mutex_);
  state_ = State::closed;
  shut_ = false;
  changed_.notify_all();
  left_.wait(lock, [this] { return waiting_ == 0; });
}

}  // namespace ringwright
