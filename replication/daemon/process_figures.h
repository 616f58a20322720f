#pragma once

#include <cstdint>

namespace ringwright {

// What the system says of this process; 0 where it does not.
struct ProcessFigures {
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  double cpu_seconds = 0;  // user and system
  std::uint64_t open_files = 0;
  std::uint64_t open_files_max = 0;
  double started_seconds = 0;  // since 1970
};
ProcessFigures process_figures();

}  // namespace ringwright
