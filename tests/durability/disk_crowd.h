#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "tests/durability/crash_child.h"

namespace ringwright::durability {

// How far each writer of a crowd came, in memory that outlives it.
struct CrowdPage {
  static constexpr std::size_t writers = 4;

  struct Progress {
    std::atomic<Number> issued = 0;        // handed to the engine
    std::atomic<Number> applied = 0;       // the engine took it
    std::atomic<Number> acknowledged = 0;  // a sync after it returned; class `disk`
  };
  std::array<Progress, writers> progress;

  std::atomic<bool> has_passed = false;    // nothing was wrong
  std::atomic<std::uint64_t> refused = 0;  // writes, syncs and drops that were answered no_space
  std::atomic<std::uint64_t> reads = 0;
  std::atomic<std::uint64_t> handed_away = 0;  // reads that answered would_block
  std::atomic<std::uint64_t> scans = 0;
  std::atomic<std::uint64_t> refused_scans = 0;
  std::atomic<std::uint64_t> cycles = 0;           // times that the disk was full and freed again
  std::atomic<std::uint64_t> longest_wait_ms = 0;  // from the freeing to a write of each writer
};

// Many threads call one engine while its disk fills and is freed again: writers with a sync now and
// then, readers that may block and such that may not, iterators that overlap, flushes, and those
// who ask for figures. Each writer has rows of its own, so what they show is known at any time.
// Kills the process in the middle of it all, unless something was wrong.
[[noreturn]] void run_a_crowd(const ChildPlan& plan, CrowdPage& crowd, bool unseen);

// Opens what a crowd left. The rows of each writer must be those of its first k writes, with
// k at least what it was told and at most one more than it handed over.
enum class Left : unsigned char { all_applied, all_acknowledged, any };
[[noreturn]] void verify_a_crowd(const ChildPlan& plan, const CrowdPage& crowd, Left left);

}  // namespace ringwright::durability
