#include "replication/version/hlc.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace ringwright {

Result<Timestamp> HybridClock::issue(std::uint64_t wall_us) {
  const Timestamp next = std::max(last_ + 1, timestamp_at(wall_us));
  if (last_ >= bound_ || next > bound_)  // the first also where last_ + 1 wraps
    return Status{Code::unavailable, "the clock's lease has run out; it is being renewed: retry"};
  last_ = next;
  return next;
}

Status HybridClock::observe(Timestamp seen, std::uint64_t wall_us) {
  if (wall_us_of(seen) > wall_us && wall_us_of(seen) - wall_us > limits::clock_ahead_us_max)
    return {Code::invalid, "a timestamp lies more than " +
                               std::to_string(limits::clock_ahead_us_max / 1000) +
                               " ms in the future: set the sender's clock"};
  last_ = std::max(last_, seen);
  return {};
}

}  // namespace ringwright
