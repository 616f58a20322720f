#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/status.h"
#include "engine/base/time.h"

namespace ringwright {

// Of the disk that a directory lies on; all there can be when it is not known.
struct DiskSpace {
  std::uint64_t free_bytes = UINT64_MAX;  // for this user
  std::uint64_t all_bytes = UINT64_MAX;
};
DiskSpace disk_space(const std::string& directory);

// Keeps room ahead on a disk, for a library that a full one would harm: ask `admit` before each
// write. Only now and then is the disk itself looked at: after so many admitted bytes, after so
// much time, and at every call while there is too little. What others take between two looks is
// therefore not seen. Threads: any.
class SpaceReserve {
 public:
  struct Settings {
    std::string directory;    // for messages
    std::string advice = "";  // what to do beside freeing space: ", or set ..."
    std::uint64_t look_bytes = 0;
    Nanoseconds look_after = 0;
  };
  // `free`: how many bytes the disk has left.
  SpaceReserve(Settings settings, std::function<std::uint64_t()> free,
               std::shared_ptr<const Clock> clock);

  // `bytes` are about to be written. `needed` is asked at a look only: what must be free beside
  // them. `no_space` says how much there is, how much there should be, and what to do.
  template <typename Needed>
  Status admit(std::uint64_t bytes, const Needed& needed) {
    return look_is_due(bytes) ? look(bytes, needed()) : ok_status();
  }
  // The same without leave to skip the look.
  Status look(std::uint64_t bytes, std::uint64_t needed);

  // `no_space` after the library met a full disk itself, whatever is free now.
  Status refuse();
  // The next call looks.
  void expect_look() { allowance_bytes_.store(-1, std::memory_order_relaxed); }

  // Whether the last call was refused.
  bool is_short() const { return is_short_.load(std::memory_order_relaxed); }

 private:
  bool look_is_due(std::uint64_t bytes);
  std::string shortage(std::uint64_t free, std::uint64_t wanted) const;

  const Settings settings_;
  const std::function<std::uint64_t()> free_;
  const std::shared_ptr<const Clock> clock_;
  std::atomic<bool> is_short_{false};
  std::atomic<std::int64_t> allowance_bytes_{0};  // until the next look
  std::atomic<Instant> next_look_{0};
};

}  // namespace ringwright
