#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engine/base/time.h"

namespace ringwright {

// The number of the calling thread, in the order of first asking: it spreads threads over the slots
// of what they share, so that each mostly finds its own slot free and its cache line at home.
std::size_t thread_number();

// Lets calls through while open, and lets `shut` wait for those inside. A passing call writes one
// counter that it shares with few other threads, so that shards do not fight over a cache line.
//
// Invariant: a caller counts itself before it looks whether the gate is open, and `shut` closes the
// gate before it looks at the counts, both in the one total order of seq_cst operations; so
// whoever got in is seen by `shut`, and nobody gets in once `shut` has looked.
class CallGate {
 public:
  // Held for the length of a call; false when the gate was shut.
  class Pass {
   public:
    explicit Pass(CallGate& gate) : inside_(gate.counter()) {
      inside_.fetch_add(1);
      open_ = gate.open_.load();
    }
    // The last touch of the gate, which may be destroyed right after.
    ~Pass() { inside_.fetch_sub(1, std::memory_order_release); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    explicit operator bool() const { return open_; }

   private:
    std::atomic<std::uint64_t>& inside_;
    bool open_ = false;
  };

  void open() { open_.store(true); }

  // Returns when no call is inside and none can get in. Polls, because a caller that had to notify
  // on its way out would touch the gate after it was counted out.
  void shut();
  // The same for so long at most. False when a call is still inside; none more can get in.
  bool shut_within(Nanoseconds wait);

 private:
  static constexpr std::size_t counter_count = 16;

  struct alignas(64) Counter {
    std::atomic<std::uint64_t> inside{0};
  };

  std::atomic<std::uint64_t>& counter() {
    return counters_[thread_number() % counter_count].inside;
  }

  std::array<Counter, counter_count> counters_;
  std::atomic<bool> open_{false};
};

}  // namespace ringwright
