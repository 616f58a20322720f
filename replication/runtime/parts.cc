#include "replication/runtime/parts.h"

#include "replication/resolver/conflict_resolver.h"

namespace ringwright {

Registry& registry_with_parts() {
  static Registry& parts = []() -> Registry& {
    register_builtin_resolvers(registry());
    return registry();
  }();
  return parts;
}

}  // namespace ringwright
