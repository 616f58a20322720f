#pragma once

#include <cstdint>

#include "engine/base/time.h"

namespace ringwright {

// What a driver's clock said when it woke a machine.
struct Moment {
  Instant now = 0;
  std::uint64_t wall_us = 0;
};

}  // namespace ringwright
