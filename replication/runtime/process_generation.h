#pragma once

#include <cstdint>

namespace ringwright {

// Differs between a process and the children that it forks, at the price of reading a number.
std::uint64_t process_generation();

}  // namespace ringwright
