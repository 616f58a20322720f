#pragma once

#include <algorithm>

#include "engine/base/time.h"

namespace ringwright::wire {

// How long a loop looks for more before it sleeps. A processor that has gone to sleep is slow to
// wake, and whoever wakes it pays as well: where messages follow each other closely, looking costs
// less than both. The window grows by every sleep that was so short that looking would have found
// its end, and shrinks by every longer one, so that a loop with little to do just sleeps (the rule
// by which Linux polls for a halted guest, Documentation/virt/kvm/halt-polling.rst).
class IdlePoll {
 public:
  // 0: never looks.
  explicit IdlePoll(Nanoseconds window_max = 0) : window_max_(window_max) {}

  bool is_on() const { return window_max_ > 0; }
  Nanoseconds window() const { return window_; }

  void slept(Nanoseconds length) {
    if (length <= window_max_)
      window_ = std::min(window_max_, std::max(window_min, window_ * 2));
    else
      window_ = window_ / 2 < window_min ? 0 : window_ / 2;
  }

 private:
  static constexpr Nanoseconds window_min = microseconds(5);

  Nanoseconds window_max_;
  Nanoseconds window_ = 0;
};

}  // namespace ringwright::wire
