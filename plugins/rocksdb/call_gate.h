#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace ringwright {

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
  void shut() {
    open_.store(false);
    for (Counter& counter : counters_)
      while (counter.inside.load() != 0) std::this_thread::sleep_for(poll_interval);
  }

 private:
  static constexpr std::size_t counter_count = 16;
  static constexpr std::chrono::microseconds poll_interval{100};

  struct alignas(64) Counter {
    std::atomic<std::uint64_t> inside{0};
  };

  std::atomic<std::uint64_t>& counter() {
    static std::atomic<std::size_t> threads{0};
    static thread_local const std::size_t mine = threads.fetch_add(1) % counter_count;
    return counters_[mine].inside;
  }

  std::array<Counter, counter_count> counters_;
  std::atomic<bool> open_{false};
};

}  // namespace ringwright
