#pragma once

#include <cstdint>

namespace ringwright {

// A span of time and a point on a monotonic clock, both in nanoseconds. An Instant has no meaning
// outside the process (or the simulated world) that drew it; wall time is `wall_us` in Clock.
using Nanoseconds = std::int64_t;
using Instant = std::int64_t;

constexpr Nanoseconds microseconds(std::int64_t count) { return count * 1'000; }
constexpr Nanoseconds milliseconds(std::int64_t count) { return count * 1'000'000; }
constexpr Nanoseconds seconds(std::int64_t count) { return count * 1'000'000'000; }

constexpr Instant never = INT64_MAX;

}  // namespace ringwright
