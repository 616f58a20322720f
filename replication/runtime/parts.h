#pragma once

#include "engine/registry.h"

namespace ringwright {

// The process's registry, with the built-in resolvers added to the built-in engines.
Registry& registry_with_parts();

}  // namespace ringwright
