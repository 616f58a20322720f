#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/registry.h"
#include "engine/storage_engine.h"

namespace ringwright {

// Makes the engine that `description` names, not yet open: "memory", or decorators around it,
// outermost first: "faulty(memory)". `invalid` says what is wrong with the description and, for an
// unknown name, which are known.
Result<std::unique_ptr<StorageEngine>> make_engine_stack(Registry& registry,
                                                         std::string_view description);

// The names in a description, outermost first: "a(b(c))" as a, b, c. `invalid`: it is none.
Result<std::vector<std::string>> engine_stack_names(std::string_view description);

// The same form, read back from the engines: "faulty(memory)".
std::string describe(StorageEngine& engine);

}  // namespace ringwright
