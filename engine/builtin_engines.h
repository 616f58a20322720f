#pragma once

#include "engine/registry.h"

namespace ringwright {

// Adds the engines and the engine decorators that are always there. Called by name rather than by
// static initialisers, which a linker may drop.
void register_builtin_engines(Registry& registry);

// One for each built-in part, defined beside it.
void add_memory_engine(Registry& registry);
void add_null_engine(Registry& registry);
void add_faulty_engine(Registry& registry);
void add_metered_engine(Registry& registry);
void add_pausable_engine(Registry& registry);
void add_slow_engine(Registry& registry);

}  // namespace ringwright
