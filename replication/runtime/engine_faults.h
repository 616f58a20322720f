#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/storage_engine.h"

namespace ringwright {

// What is wrong with one engine of a node, on purpose: as it stands, or what is to change.
struct EngineFaults {
  std::string keyspace;
  std::optional<bool> paused;  // needs the decorator `pausable`; nullopt: there is none, leave it
  EngineOptions faults;        // needs the decorator `faulty`; as `arm_faults` takes them

  friend bool operator==(const EngineFaults&, const EngineFaults&) = default;
};

// How it stands; nullopt: the stack has neither decorator. Of the faults those that happen with a
// probability above zero, and the space that is left.
std::optional<EngineFaults> engine_faults_of(StorageEngine& stack, std::string_view keyspace);

// All of the change or, with `invalid`, nothing of it: a decorator is missing, or what the faults
// say cannot be read.
Status change_engine_faults(StorageEngine& stack, const EngineFaults& change);

}  // namespace ringwright
