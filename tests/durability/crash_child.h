#pragma once

#include <string>
#include <vector>

#include "tests/durability/power_disk.h"
#include "tests/durability/progress_page.h"
#include "tests/durability/workload.h"

namespace ringwright::durability {

// What a child finds and is to do. It inherits all of it by fork.
struct ChildPlan {
  std::string engine;  // as `make_engine_stack` takes it
  EngineOptions options;
  Durability durability = Durability::os;
  std::string root;  // the folder that is its disk
  std::uint64_t seed = 0;
  std::uint64_t round = 0;
  std::size_t streams = 4;

  Number floor = 0;                               // the engine must hold all up to here
  Number issued = 0;                              // and can hold none beyond
  std::uint64_t floor_sequence = 0;               // of the engine, when `floor` was acknowledged
  const std::vector<bool>* batch_ends = nullptr;  // by number
  Timeline timeline;
  bool only_verify = false;

  // With a journal, the disk is one that loses what was not synced.
  std::string power_journal;
  PowerPage* power = nullptr;

  ProgressPage* page = nullptr;
};

enum ChildExit : int { child_verified = 0, child_failed = 3, child_refused_as_corrupt = 4 };

// Opens the engine, verifies what it holds, then writes until it is killed. Never returns: it ends
// the process, with a sentence in the page when something is wrong.
[[noreturn]] void run_child(const ChildPlan& plan);

}  // namespace ringwright::durability
