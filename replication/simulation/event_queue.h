#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/base/time.h"

namespace ringwright {

// The only source of progress in a simulated world: everything that ever happens is an action in
// this one queue, and virtual time is the instant of the action that runs. Actions run in the order
// of (instant, order of scheduling), so that equal inputs give equal runs.
//
// An action that belongs to something which may die first asks whether it still lives: nothing is
// ever taken out of the queue.
class EventQueue {
 public:
  using Action = std::function<void()>;

  Instant now() const { return now_; }
  // At `when`, or now if that has passed.
  void at(Instant when, Action action);
  void after(Nanoseconds delay, Action action) { at(now_ + delay, std::move(action)); }

  // Runs the next action unless it lies after `until`; false when there was none to run, and then
  // the time is `until` (unless `until` is `never`).
  bool run_next(Instant until = never);
  // Runs all that lies up to `until`, itself included.
  void run_until(Instant until) {
    while (run_next(until)) continue;
  }

  std::size_t size() const { return heap_.size(); }
  std::uint64_t executed() const { return executed_; }

 private:
  struct Event {
    Instant when;
    std::uint64_t sequence;
    Action action;
  };
  struct Later {
    bool operator()(const Event& left, const Event& right) const {
      return left.when != right.when ? left.when > right.when : left.sequence > right.sequence;
    }
  };

  std::vector<Event> heap_;
  Instant now_ = 0;
  std::uint64_t scheduled_ = 0;
  std::uint64_t executed_ = 0;
};

}  // namespace ringwright
