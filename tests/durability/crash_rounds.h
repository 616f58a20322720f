#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "engine/storage_engine.h"

namespace ringwright::durability {

// What ends a round. kill: the process dies, its files are as it left them. power: besides, what
// was not synced is gone. survive: besides, some of what was not synced is there, in any order.
enum class Mode : std::uint8_t { kill, power, survive };

struct RunPlan {
  std::string engine = "memory";
  Durability durability = Durability::os;
  Mode mode = Mode::kill;
  std::uint64_t seed = 1;
  std::uint64_t rounds = 100;
  std::uint64_t first_life = 0;  // a life is one directory, from its creation on
  bool whole_lives = false;      // the last one is not cut short when the rounds are over
  std::string folder;            // where the lives' directories are made
  std::string rerun;             // how a person repeats this run; the seed is added
  std::function<void(std::uint64_t life, std::uint64_t rounds)> life_passed;
};

struct RunFigures {
  std::uint64_t rounds = 0;
  std::uint64_t lives = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t batches = 0;
  std::uint64_t syncs = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t killed_in_open = 0;
  std::uint64_t rounds_with_losses = 0;  // of acknowledged writes; only where none are promised
  std::uint64_t lost = 0;
  std::uint64_t refused_as_corrupt = 0;  // where nothing is promised
  std::string failure;                   // empty: all held
};

// Whether the class says that acknowledged writes survive what the mode does.
bool promises(Durability durability, Mode mode);
std::string_view mode_name(Mode mode);

// Runs until the rounds are over or the first failure, whose directory stays.
RunFigures run_rounds(const RunPlan& plan);

}  // namespace ringwright::durability
