#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "engine/registry.h"
#include "engine/storage_engine.h"

namespace ringwright {

// What an engine says it can do, which it says only once it is open.
struct EngineProbe {
  std::vector<Durability> durabilities;  // the classes that it opens with, weakest first
  bool merge = false;
  bool non_blocking = false;
};

// Opens and closes the engine once for each class, in directories of its own on `disk`. With
// default options; an engine that needs others opens with no class.
Result<EngineProbe> probe_engine(Registry& registry, std::string_view description,
                                 const std::shared_ptr<Disk>& disk);

}  // namespace ringwright
