#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/durability/crash_child.h"

namespace ringwright::durability {

// What a child with a troubled disk tells, beside the page of its plan.
struct TroubleFigures {
  std::atomic<std::uint64_t> refused = 0;          // writes that were answered no_space
  std::atomic<std::uint64_t> cycles = 0;           // times that the disk was full and freed again
  std::atomic<std::uint64_t> longest_wait_ms = 0;  // from the freeing to the first write
  std::atomic<std::uint64_t> iterators_in_the_way = 0;  // that had to end for writes to go on
  std::atomic<bool> sync_failed = false;                // the engine said so
  std::atomic<bool> write_failed = false;
};

// All write one request at a time, under a power disk, and end the process like `run_child`.

// The disk fills and is freed again, many times, without a reopen. A write that is refused must
// have changed nothing; after the freeing writes must come through; a reopen finds them all.
// `Filling::unseen`: who looks how much room is left does not see it until something was refused.
enum class Filling : unsigned char { in_sight, unseen };
[[noreturn]] void run_on_a_full_disk(const ChildPlan& plan, TroubleFigures& figures,
                                     Filling filling);

// The disk fills and stays full, and the engine is closed.
[[noreturn]] void run_to_a_full_end(const ChildPlan& plan, TroubleFigures& figures);

// The disk has no room for compactions; flushes and the close must not wait for them.
[[noreturn]] void run_behind_compactions(const ChildPlan& plan, TroubleFigures& figures);

// The disk fills, and an engine of the same kind on another disk goes on.
[[noreturn]] void run_beside_another_engine(const ChildPlan& plan, TroubleFigures& figures,
                                            const std::string& elsewhere);

// The first with an iterator at any time, each made before the one before it ends, and with one
// from the beginning to the end. Neither that nor the full disk keeps reads from their answers.
[[noreturn]] void run_under_iterators(const ChildPlan& plan, TroubleFigures& figures);

// With an iterator of each time that stays to the end, and shows what it began with. An engine may
// take so many; then it refuses writes until the oldest has ended.
[[noreturn]] void run_with_iterators_that_stay(const ChildPlan& plan, TroubleFigures& figures);

// One sync of the disk fails. If the engine's sync fails for it, none may succeed later, nor may a
// write.
[[noreturn]] void run_with_a_failed_sync(const ChildPlan& plan, TroubleFigures& figures);

}  // namespace ringwright::durability
