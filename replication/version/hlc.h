#pragma once

#include <cstdint>

#include "engine/base/status.h"

namespace ringwright {

// A hybrid logical timestamp: wall-clock microseconds in the high 52 bits (enough until the year
// 2112), a logical counter in the low 12, which overflows into the microseconds. 0: never.
// After Kulkarni, Demirbas, Madappa, Avva and Leone, "Logical Physical Clocks", 2014.
using Timestamp = std::uint64_t;
constexpr int timestamp_logical_bits = 12;
constexpr Timestamp timestamp_max = UINT64_MAX;
// The first stamp of that microsecond; `timestamp_max` for an instant beyond the 52 bits.
constexpr Timestamp timestamp_at(std::uint64_t wall_us) {
  return wall_us > timestamp_max >> timestamp_logical_bits ? timestamp_max
                                                           : wall_us << timestamp_logical_bits;
}
constexpr std::uint64_t wall_us_of(Timestamp stamp) { return stamp >> timestamp_logical_bits; }

// One shard's clock: each stamp it issues is above every stamp that it issued or saw. The caller
// passes wall time in. Its upper bound is leased: `issue` never passes `bound`, which has been made
// durable first, and a restart begins above the last durable bound, so it never steps back.
class HybridClock {
 public:
  HybridClock() = default;
  explicit HybridClock(Timestamp floor) : last_(floor) {}

  // `unavailable` when the lease must be renewed first. A renewal takes its bound from the greater
  // of wall time and `last`, which a stamp that was seen may have moved past the present bound.
  Result<Timestamp> issue(std::uint64_t wall_us);

  // Moves past a stamp that was seen. `invalid` when it is too far ahead of the wall clock, which
  // would drag every clock of the cluster after it; then the clock stays.
  Status observe(Timestamp seen, std::uint64_t wall_us);

  void set_bound(Timestamp bound) { bound_ = bound; }
  Timestamp bound() const { return bound_; }
  Timestamp last() const { return last_; }

 private:
  Timestamp last_ = 0;
  Timestamp bound_ = 0;
};

}  // namespace ringwright
