#include <time.h>

#include <chrono>

#include "engine/base/clock.h"

namespace ringwright {
namespace {

template <typename Unit, typename Source>
std::int64_t since_epoch() {
  return std::chrono::duration_cast<Unit>(Source::now().time_since_epoch()).count();
}

class SystemClock : public Clock {
 public:
  Instant now() const override {
    return since_epoch<std::chrono::nanoseconds, std::chrono::steady_clock>();
  }
  std::uint64_t wall_us() const override {
    return static_cast<std::uint64_t>(
        since_epoch<std::chrono::microseconds, std::chrono::system_clock>());
  }
};

#if defined(CLOCK_MONOTONIC_COARSE)
class CoarseClock final : public SystemClock {
 public:
  Instant now() const override {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return seconds(time.tv_sec) + time.tv_nsec;
  }
};
#else
using CoarseClock = SystemClock;
#endif

}  // namespace

std::shared_ptr<Clock> make_system_clock() { return std::make_shared<SystemClock>(); }
std::shared_ptr<Clock> make_coarse_clock() { return std::make_shared<CoarseClock>(); }

}  // namespace ringwright
