#include <chrono>

#include "engine/base/clock.h"

namespace ringwright {
namespace {

template <typename Unit, typename Source>
std::int64_t since_epoch() {
  return std::chrono::duration_cast<Unit>(Source::now().time_since_epoch()).count();
}

class SystemClock final : public Clock {
 public:
  Instant now() const override {
    return since_epoch<std::chrono::nanoseconds, std::chrono::steady_clock>();
  }
  std::uint64_t wall_us() const override {
    return static_cast<std::uint64_t>(
        since_epoch<std::chrono::microseconds, std::chrono::system_clock>());
  }
};

}  // namespace

std::shared_ptr<Clock> make_system_clock() { return std::make_shared<SystemClock>(); }

}  // namespace ringwright
