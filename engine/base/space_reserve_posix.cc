#include <sys/statvfs.h>

#include "engine/base/space_reserve.h"

namespace ringwright {

DiskSpace disk_space(const std::string& directory) {
  struct statvfs found {};
  if (::statvfs(directory.c_str(), &found) != 0) return {};
  return {.free_bytes = std::uint64_t{found.f_bavail} * found.f_frsize,
          .all_bytes = std::uint64_t{found.f_blocks} * found.f_frsize};
}

}  // namespace ringwright
