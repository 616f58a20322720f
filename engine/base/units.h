#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/status.h"
#include "engine/base/time.h"

namespace ringwright {

// The one place where sizes, durations and shares are read from and shown to people.

// "64MiB", "1.5 GiB", "100kB", "4096" (bytes). Units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB, in any
// case. `invalid` for anything else, a fraction of a byte, or more than 2^63 - 1.
Result<std::uint64_t> parse_size(std::string_view text);
// "64MiB": the largest binary unit that divides it.
std::string format_size(std::uint64_t bytes);

// "250ms", "1.5s", "0". Units: ns, us, ms, s, m (or min), h, d. A bare number is `invalid` unless
// it is zero: nobody can know its unit. Never negative.
Result<Nanoseconds> parse_duration(std::string_view text);
// "250ms": the largest unit that divides it.
std::string format_duration(Nanoseconds duration);

// "0.25" or "25%": a number from 0 to 1. `invalid` for anything else.
Result<double> parse_share(std::string_view text);

}  // namespace ringwright
