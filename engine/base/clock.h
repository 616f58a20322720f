#pragma once

#include <cstdint>
#include <memory>

#include "engine/base/time.h"

namespace ringwright {

// The only source of time. Safe to call from several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic; for durations and deadlines.
  virtual Instant now() const = 0;
  // Microseconds since 1970-01-01 UTC; may jump either way; for stamps that other nodes will read.
  virtual std::uint64_t wall_us() const = 0;
};

std::shared_ptr<Clock> make_system_clock();
// The same, as of the system's last tick where it has one: some milliseconds late, and a tenth as
// dear to ask.
std::shared_ptr<Clock> make_coarse_clock();

}  // namespace ringwright
